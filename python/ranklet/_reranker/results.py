"""What the calls of Reranker return."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Highlight:
    """A sentence of a document."""

    start: int
    end: int
    """Where it is: text[start:end]."""
    score: float
    """The score of the sentence as a document of its own."""


@dataclasses.dataclass(frozen=True)
class RerankResult:
    """A document of a ranking."""

    index: int
    """Its index in the documents of the call."""
    score: float
    """Its score; with `fuse` the fused one."""
    model_score: float | None = None
    """With `fuse`: the model's score."""
    span: tuple[int, int] | None = None
    """With `long_documents="chunk"`: the best chunk, text[start:end]."""
    highlights: list[Highlight] | None = None
    """With `highlights=n`: the n best sentences, best first."""
    document: Any = None
    """With `return_documents`: the document itself."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """The work of a call."""

    tokens: int
    """Number of tokens that the model has read, in all pairs together."""
    documents: int


@dataclasses.dataclass(frozen=True)
class Timings:
    """The time that a call took."""

    total_ms: float
    engine_ms: float = 0.0
    """Milliseconds in the engine."""
    cache_hits: int = 0
    """Number of documents whose score the cache had."""


@dataclasses.dataclass(frozen=True)
class RerankResponse:
    """A ranking."""

    results: list[RerankResult]
    """Best first. Equal scores keep the order of the documents."""
    usage: Usage
    backend: dict[str, Any]
    """The engine that computed."""
    timings: Timings
    unscored: list[int]
    """Indices, in order, of the documents that were not scored before the deadline."""


@dataclasses.dataclass(frozen=True)
class StreamPart:
    """Newly scored documents of a stream."""

    results: list[RerankResult]
    done: int
    """Number of documents scored so far."""
    total: int | None
    """Number of documents; None if they are not a list."""


@dataclasses.dataclass(frozen=True)
class CollectionRanking:
    """A ranking of the documents of a collection that are scored so far."""

    results: list[RerankResult]
    done: int
    total: int
    """Number of documents to score. The last ranking is the final one; with `highlights`, earlier ones can have all documents too."""
    usage: Usage
    backend: dict[str, Any]
    timings: Timings
    unscored: list[int] = dataclasses.field(default_factory=list)
    """Of the last ranking: indices, in order, of the documents that were not scored before the deadline."""
