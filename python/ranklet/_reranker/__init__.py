"""Ranklet's own API."""

from .async_reranker import AsyncCollection, AsyncReranker
from .collection import Collection
from .reranker import Reranker
from .results import CollectionRanking, RerankResponse, RerankResult, StreamPart, Timings, Usage

__all__ = [
    "AsyncCollection",
    "AsyncReranker",
    "Collection",
    "CollectionRanking",
    "RerankResponse",
    "RerankResult",
    "Reranker",
    "StreamPart",
    "Timings",
    "Usage",
]
