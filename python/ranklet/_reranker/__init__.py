"""Ranklet's own API."""

from .async_reranker import AsyncCollection, AsyncReranker
from .collection import Collection
from .explanations import (
    ComparedContribution,
    ComparedExplanation,
    Comparison,
    Contribution,
    Explanation,
    ExplanationCost,
)
from .reranker import Reranker
from .results import CollectionRanking, Highlight, RerankResponse, RerankResult, StreamPart, Timings, Usage

__all__ = [
    "AsyncCollection",
    "AsyncReranker",
    "Collection",
    "CollectionRanking",
    "ComparedContribution",
    "ComparedExplanation",
    "Comparison",
    "Contribution",
    "Explanation",
    "ExplanationCost",
    "Highlight",
    "RerankResponse",
    "RerankResult",
    "Reranker",
    "StreamPart",
    "Timings",
    "Usage",
]
