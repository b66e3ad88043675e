"""Ranklet in Haystack: a ranker component.

from ranklet.haystack import RankletRanker

pipeline.add_component("ranker", RankletRanker(top_k=5))
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import ComponentDevice, Secret

from ._cross_encoder import CrossEncoder, Identity, Sigmoid

__all__ = ["RankletRanker"]

_parameters = (
    "model",
    "device",
    "token",
    "top_k",
    "query_prefix",
    "query_suffix",
    "document_prefix",
    "document_suffix",
    "meta_fields_to_embed",
    "embedding_separator",
    "scale_score",
    "score_threshold",
    "trust_remote_code",
    "model_kwargs",
    "tokenizer_kwargs",
    "config_kwargs",
    "backend",
    "batch_size",
    "cross_encoder_kwargs",
)
# Options of CrossEncoder that have another name here: the model, `tokenizer_kwargs`, and `scale_score`.
_set_by_parameters = {"model_name", "model_name_or_path", "processor_kwargs", "activation_fn"}


@component
class RankletRanker:
    """Ranks documents for a query, with the options of SentenceTransformersSimilarityRanker."""

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        device: ComponentDevice | str | None = None,
        token: Secret | None = Secret.from_env_var(["HF_API_TOKEN", "HF_TOKEN"], strict=False),
        top_k: int = 10,
        query_prefix: str = "",
        query_suffix: str = "",
        document_prefix: str = "",
        document_suffix: str = "",
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
        scale_score: bool = True,
        score_threshold: float | None = None,
        trust_remote_code: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        tokenizer_kwargs: dict[str, Any] | None = None,
        config_kwargs: dict[str, Any] | None = None,
        backend: str = "torch",
        batch_size: int = 16,
        cross_encoder_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Creates a ranker. `warm_up` or the first run loads the model.

        `ranklet.CrossEncoder` reads `trust_remote_code`, `model_kwargs`, `tokenizer_kwargs` (as `processor_kwargs`),
        `config_kwargs` and `backend`, and logs a warning for what has no effect in Ranklet.

        :param model: a folder or a Hub id; None for the model in this package.
        :param device: one device of Haystack, or "cpu", "gpu" or "auto"; None for the CPU.
        :param token: the token for models on the Hub.
        :param top_k: maximum number of documents to return.
        :param meta_fields_to_embed: fields of the metadata that are written before the content.
        :param scale_score: whether scores are sigmoids of the logits, and not the logits.
        :param score_threshold: documents with a lower score are left out.
        :param batch_size: accepted, and without effect: pairs are not padded.
        :param cross_encoder_kwargs: other options of `ranklet.CrossEncoder`, such as `threads` and `max_length`.
        :raises ValueError: if `top_k` is not > 0, or if `cross_encoder_kwargs` has an option that is a parameter here.
        :raises TypeError: if `token` is not a Secret, because Haystack could not keep it out of its files, or if `model` is
            no text or path, such as a loaded `ranklet.CrossEncoder`, which no file could hold.
        """
        _check_top_k(top_k)
        if model is not None and not isinstance(model, (str, os.PathLike)):
            raise TypeError(f"model must be a folder, a Hub id or None, which Haystack can write to a file, not {type(model).__name__}")
        if token is not None and not isinstance(token, Secret):
            raise TypeError(f"token must be a haystack.utils.Secret or None, not {type(token).__name__}")
        cross_encoder_kwargs = cross_encoder_kwargs or {}
        repeated = sorted((_set_by_parameters | set(_parameters)) & set(cross_encoder_kwargs))
        if repeated:
            raise ValueError(f"cross_encoder_kwargs: parameters of RankletRanker set these: {', '.join(repeated)}")
        self.model = None if model is None else str(model)
        self.device = device
        self.token = token
        self.top_k = top_k
        self.query_prefix = query_prefix
        self.query_suffix = query_suffix
        self.document_prefix = document_prefix
        self.document_suffix = document_suffix
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator
        self.scale_score = scale_score
        self.score_threshold = score_threshold
        self.trust_remote_code = trust_remote_code
        self.model_kwargs = model_kwargs
        self.tokenizer_kwargs = tokenizer_kwargs
        self.config_kwargs = config_kwargs
        self.backend = backend
        self.batch_size = batch_size
        self.cross_encoder_kwargs = cross_encoder_kwargs
        self._model: CrossEncoder | None = None

    def warm_up(self) -> None:
        """Loads the model, once."""
        if self._model is None:
            device = self.device
            self._model = CrossEncoder(
                self.model,
                device=device.to_torch_str() if isinstance(device, ComponentDevice) else device,
                token=None if self.token is None else self.token.resolve_value(),
                trust_remote_code=self.trust_remote_code,
                model_kwargs=self.model_kwargs,
                processor_kwargs=self.tokenizer_kwargs,
                config_kwargs=self.config_kwargs,
                backend=self.backend,
                **self.cross_encoder_kwargs,
            )

    def to_dict(self) -> dict[str, Any]:
        """Serializes the component.

        :raises ValueError: if `token` holds a token itself, and not the name of a variable of the environment.
        """
        return default_to_dict(self, **{name: _serialized(getattr(self, name)) for name in _parameters})

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RankletRanker:
        """Makes a component from what `to_dict` has returned."""
        # Haystack 3 would read these two itself, and Haystack 2 does not.
        parameters = dict(data.get("init_parameters", {}))
        for name, kind in (("device", ComponentDevice), ("token", Secret)):
            if isinstance(parameters.get(name), dict):
                parameters[name] = kind.from_dict(parameters[name])
        ranker: RankletRanker = default_from_dict(cls, {**data, "init_parameters": parameters})
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
        :raises ValueError: if `top_k` is not > 0.
        """
        top_k = self.top_k if top_k is None else top_k
        _check_top_k(top_k)
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
            batch_size=self.batch_size,
            activation_fn=Sigmoid() if scale_score else Identity(),
        )
        ranked = [replace(documents[hit["corpus_id"]], score=hit["score"]) for hit in hits]
        if score_threshold is not None:
            ranked = [document for document in ranked if (document.score or 0.0) >= score_threshold]
        return {"documents": ranked[:top_k]}

    def _text(self, document: Document) -> str:
        values = [document.meta.get(name) for name in self.meta_fields_to_embed]
        fields = [str(value) for value in values if value is not None]
        return self.embedding_separator.join([*fields, document.content or ""])


def _check_top_k(top_k: int) -> None:
    if top_k <= 0:
        raise ValueError(f"top_k must be > 0, but got {top_k}")


def _serialized(value: Any) -> Any:
    """Returns a value that YAML can hold: secrets and devices as Haystack writes them, and torch's types by name."""
    if isinstance(value, (ComponentDevice, Secret)):
        return value.to_dict()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, dict):
        return {key: _serialized(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_serialized(item) for item in value]
    return str(value) if type(value).__module__ == "torch" else value


def _without_duplicates(documents: list[Document]) -> list[Document]:
    """Keeps one document of each id: the one with the best score, at the place of the first."""
    best: dict[str, Document] = {}
    for document in documents:
        known = best.get(document.id)
        if known is None or _score(document) > _score(known):
            best[document.id] = document
    return list(best.values())


def _score(document: Document) -> float:
    return float("-inf") if document.score is None else document.score
