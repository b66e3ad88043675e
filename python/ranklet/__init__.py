"""Reranks search results with a cross-encoder on the CPU or a GPU, with the scores of sentence-transformers."""

from ._cross_encoder import CrossEncoder, Identity, Sigmoid
from ._documents import document_texts
from ._reranker import (
    AsyncCollection,
    AsyncReranker,
    Collection,
    CollectionRanking,
    ComparedContribution,
    ComparedExplanation,
    Comparison,
    Contribution,
    Explanation,
    ExplanationCost,
    Highlight,
    Reranker,
    RerankResponse,
    RerankResult,
    StreamPart,
    Timings,
    Usage,
)
from .errors import ErrorItem, RankletError

__all__ = [
    "AsyncCollection",
    "AsyncReranker",
    "Collection",
    "CollectionRanking",
    "ComparedContribution",
    "ComparedExplanation",
    "Comparison",
    "Contribution",
    "CrossEncoder",
    "ErrorItem",
    "Explanation",
    "ExplanationCost",
    "Highlight",
    "Identity",
    "RankletError",
    "RerankResponse",
    "RerankResult",
    "Reranker",
    "Sigmoid",
    "StreamPart",
    "Timings",
    "Usage",
    "document_texts",
]
__version__ = "0.1.0"
