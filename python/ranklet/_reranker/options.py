"""The options of Reranker's calls, for the types of the calls of AsyncReranker."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from .explanations import CompareProgress, ExplainProgress
from .scored import Progress


class LoadOptions(TypedDict, total=False):
    """Options of `Reranker.load`."""

    device: str
    dtype: str
    threads: int | None
    weights: str | None
    max_length: int | None
    max_memory_bytes: int | None
    score_cache: Mapping[str, int] | None
    revision: str | None
    token: bool | str | None
    cache_dir: str | os.PathLike[str] | None
    local_files_only: bool
    integrity: Mapping[str, str] | None


class DocumentOptions(TypedDict, total=False):
    """How documents become texts and tokens."""

    rank_fields: Sequence[str] | None
    structured: str | None
    long_documents: str
    max_tokens_per_document: int | None


class StreamOptions(DocumentOptions, total=False):
    """Options of `Reranker.stream`."""

    scores: str
    instruction: str | None
    min_score: float | None
    highlights: int | None
    return_documents: bool


class RerankOptions(StreamOptions, total=False):
    """Options of `Reranker.rerank`."""

    top_n: int | None
    deadline_ms: float | None
    fuse: Mapping[str, Any] | None
    on_progress: Progress | None


class ScoreOptions(TypedDict, total=False):
    """Options of `Reranker.score`."""

    scores: str
    on_progress: Progress | None


class RankOptions(ScoreOptions, total=False):
    """Options of `Reranker.rank`."""

    top_k: int | None
    min_score: float | None
    return_documents: bool


class PrepareOptions(DocumentOptions, total=False):
    """Options of `Reranker.prepare`."""

    on_progress: Progress | None


class CollectionRankOptions(TypedDict, total=False):
    """Options of `Collection.rank`."""

    top_n: int | None
    candidates: Sequence[int] | np.ndarray | None
    return_documents: bool
    scores: str
    min_score: float | None
    deadline_ms: float | None
    fuse: Mapping[str, Any] | None
    highlights: int | None
    latest: bool


class PairOptions(TypedDict, total=False):
    """How pairs are explained."""

    unit: str
    samples: int
    long_documents: str
    instruction: str | None


class ExplainCostOptions(PairOptions, total=False):
    """Options of `Reranker.explain_cost`."""

    of: str


class ExplainOptions(ExplainCostOptions, total=False):
    """Options of `Reranker.explain`."""

    on_progress: ExplainProgress | None


class CompareOptions(PairOptions, total=False):
    """Options of `Reranker.compare`."""

    on_progress: CompareProgress | None
