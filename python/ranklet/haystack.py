"""Ranklet in Haystack: a ranker component.

    from ranklet.haystack import RankletRanker

    pipeline.add_component("ranker", RankletRanker(top_k=5))
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from ._cross_encoder import CrossEncoder, Identity, Sigmoid

__all__ = ["RankletRanker"]


@component
class RankletRanker:
    """Ranks documents for a query, with the options of SentenceTransformersSimilarityRanker."""

    def __init__(
        self,
        model: str | None = None,
        *,
        top_k: int = 10,
        query_prefix: str = "",
        query_suffix: str = "",
        document_prefix: str = "",
        document_suffix: str = "",
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
        scale_score: bool = True,
        score_threshold: float | None = None,
        model_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Creates a ranker.

        :param model: a folder or a Hub id; None for the model in this package.
        :param top_k: maximum number of documents to return.
        :param meta_fields_to_embed: fields of the metadata that are written before the content.
        :param scale_score: whether scores are sigmoids of the logits, and not the logits.
        :param score_threshold: documents with a lower score are left out.
        :param model_kwargs: options of `ranklet.CrossEncoder`.
        """
        if top_k <= 0:
            raise ValueError(f"top_k must be > 0, but got {top_k}")
        self.model = model
        self.top_k = top_k
        self.query_prefix = query_prefix
        self.query_suffix = query_suffix
        self.document_prefix = document_prefix
        self.document_suffix = document_suffix
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator
        self.scale_score = scale_score
        self.score_threshold = score_threshold
        self.model_kwargs = model_kwargs or {}
        self._model: CrossEncoder | None = None

    def warm_up(self) -> None:
        """Loads the model, once."""
        if self._model is None:
            self._model = CrossEncoder(self.model, **self.model_kwargs)

    def to_dict(self) -> dict[str, Any]:
        """Serializes the component."""
        names = ["model", "top_k", "query_prefix", "query_suffix", "document_prefix", "document_suffix"]
        names += ["meta_fields_to_embed", "embedding_separator", "scale_score", "score_threshold", "model_kwargs"]
        return default_to_dict(self, **{name: getattr(self, name) for name in names})

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RankletRanker:
        """Makes a component from what `to_dict` has returned."""
        ranker: RankletRanker = default_from_dict(cls, data)
        return ranker

    @component.output_types(documents=list[Document])
    def run(
        self,
        query: str,
        documents: list[Document],
        top_k: int | None = None,
        scale_score: bool | None = None,
        score_threshold: float | None = None,
    ) -> dict[str, list[Document]]:
        """Returns the best documents, best first. Of documents with the same id, the one with the best score counts.

        :param query: the query.
        :param documents: the documents to rank.
        :returns: a dictionary with the list `documents`.
        """
        top_k = self.top_k if top_k is None else top_k
        if top_k <= 0:
            raise ValueError(f"top_k must be > 0, but got {top_k}")
        scale_score = self.scale_score if scale_score is None else scale_score
        score_threshold = self.score_threshold if score_threshold is None else score_threshold
        documents = _without_duplicates(documents)
        if not documents:
            return {"documents": []}
        self.warm_up()
        assert self._model is not None
        hits = self._model.rank(
            self.query_prefix + query + self.query_suffix,
            [self.document_prefix + self._text(document) + self.document_suffix for document in documents],
            activation_fn=Sigmoid() if scale_score else Identity(),
        )
        ranked = [replace(documents[hit["corpus_id"]], score=hit["score"]) for hit in hits]
        if score_threshold is not None:
            ranked = [document for document in ranked if (document.score or 0.0) >= score_threshold]
        return {"documents": ranked[:top_k]}

    def _text(self, document: Document) -> str:
        fields = [str(document.meta[name]) for name in self.meta_fields_to_embed if document.meta.get(name)]
        return self.embedding_separator.join([*fields, document.content or ""])


def _without_duplicates(documents: list[Document]) -> list[Document]:
    """Keeps one document of each id: the one with the best score, at the place of the first."""
    best: dict[str, Document] = {}
    for document in documents:
        known = best.get(document.id)
        if known is None or (document.score or float("-inf")) > (known.score or float("-inf")):
            best[document.id] = document
    return list(best.values())
