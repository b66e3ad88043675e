"""Ranklet's own API."""

from .async_reranker import AsyncCollection, AsyncReranker
from .collection import Collection
from .explanations import Comparison, Contribution, Explanation, ExplanationCost, Lift
from .reranker import Reranker
from .results import CollectionRanking, Highlight, RerankResponse, RerankResult, StreamPart, Timings, Usage

__all__ = [
    "AsyncCollection",
    "AsyncReranker",
    "Collection",
    "CollectionRanking",
    "Comparison",
    "Contribution",
    "Explanation",
    "ExplanationCost",
    "Highlight",
    "Lift",
    "RerankResponse",
    "RerankResult",
    "Reranker",
    "StreamPart",
    "Timings",
    "Usage",
]
