"""Ranklet in LangChain: a cross-encoder for its CrossEncoderReranker, and a compressor that keeps scores.

from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
from ranklet.langchain import RankletCrossEncoder

compressor = CrossEncoderReranker(model=RankletCrossEncoder(), top_n=3)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.cross_encoders import BaseCrossEncoder
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, PrivateAttr

from ._adapters import cross_encoder
from ._cross_encoder import CrossEncoder

__all__ = ["RankletCrossEncoder", "RankletRerank"]


class RankletCrossEncoder(BaseCrossEncoder):
    """A cross-encoder of LangChain, with the arguments of langchain_community's HuggingFaceCrossEncoder.

    `model_name` is a folder, a Hub id, the contents of the model's files by name, a `ranklet.CrossEncoder`, or None for the
    model in this package.
    """

    def __init__(self, model_name: Any = None, *, model_kwargs: dict[str, Any] | None = None) -> None:
        self.model_name = model_name
        self.client = cross_encoder(model_name, model_kwargs or {})

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        """Scores pairs. Of two labels, the score is that of the second one, as in langchain_community."""
        scores = self.client.predict(text_pairs)
        if scores.ndim > 1:
            scores = scores[:, 1]
        result: list[float] = scores.tolist()
        return result


class RankletRerank(BaseDocumentCompressor):
    """A compressor that keeps the `top_n` best documents, with their scores as `relevance_score` in their metadata."""

    model: Any = None
    """A folder, a Hub id, the contents of the files, a `ranklet.CrossEncoder`, or None for the model in this package."""
    model_kwargs: dict[str, Any] = {}
    """Options of `ranklet.CrossEncoder`."""
    top_n: int | None = 3
    """Number of documents to keep; None for all."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", protected_namespaces=())
    _client: CrossEncoder = PrivateAttr()

    def __init__(self, model: Any = None, **kwargs: Any) -> None:
        super().__init__(model=model, **kwargs)
        self._client = cross_encoder(model, self.model_kwargs)

    def compress_documents(self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None) -> Sequence[Document]:
        """Returns copies of the best documents, best first."""
        ranked = self._client.rank(query, [document.page_content for document in documents], top_k=self.top_n)
        return [_with_score(documents[hit["corpus_id"]], hit["score"]) for hit in ranked]


def _with_score(document: Document, score: float) -> Document:
    metadata = {**document.metadata, "relevance_score": score}
    return document.model_copy(update={"metadata": metadata})
