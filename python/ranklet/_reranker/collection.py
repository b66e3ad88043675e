"""Documents that are tokenized once, for many queries."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _model
from .._ranklet import NativeCollection, NativeReranker, rank_scores
from ..errors import input_error, make_error
from .fusion import FirstStage, read_deadline, read_fuse
from .results import CollectionRanking, Timings, Usage
from .scored import Scored, Stop

if TYPE_CHECKING:
    from .reranker import Reranker


class Collection:
    """Tokenized documents of a reranker. Created by `Reranker.prepare`."""

    def __init__(
        self,
        reranker: Reranker,
        prepared: NativeCollection,
        documents: Sequence[Any],
        texts: list[str],
        limits: tuple[int | None, str],
    ) -> None:
        self._reranker = reranker
        self._prepared: NativeCollection | None = prepared
        self._documents = documents
        self._texts = texts
        self._limits = limits
        self._latest = 0

    @property
    def size(self) -> int:
        """Number of documents."""
        return len(self._documents)

    def dispose(self) -> None:
        """Frees the tokens. Later calls raise an error with the code "disposed"."""
        self._prepared = None

    def rank(
        self,
        query: str,
        *,
        top_n: int | None = None,
        candidates: Sequence[int] | np.ndarray | None = None,
        return_documents: bool = False,
        scores: str = "model",
        min_score: float | None = None,
        deadline_ms: float | None = None,
        fuse: Mapping[str, Any] | None = None,
        highlights: int | None = None,
        latest: bool = False,
        _stop: Stop | None = None,
    ) -> Generator[CollectionRanking, None, None]:
        """Ranks the documents for a query and yields the best so far while scoring. The last ranking is final.

        Args:
            candidates: indices of the documents to score, for example the hits of a first stage. A repeated index counts once,
                at its first place; with `fuse` it is an error.
            min_score, fuse: as for `Reranker.rerank`; `first_stage` has a score for each of the candidates.
            deadline_ms: the time from the first iteration; the last ranking has the documents scored by then.
            highlights: number of best sentences to find in each result of the last ranking.
            latest: ends earlier calls with `latest`, whose loops raise an error with the code "aborted".
        """
        if self._prepared is None:
            raise make_error("disposed", "the collection was disposed; prepare the documents again")
        if top_n is not None:
            top_n = _model.positive_int(top_n, "top_n")
        chosen = None if candidates is None else self._indices(candidates, fuse is not None)
        total = self.size if chosen is None else len(chosen)
        selection = top_n, _model.optional_number(min_score, "min_score"), read_fuse(fuse)
        # Refuses wrong options before anything is scored.
        rank_scores([None] * total, *selection)
        if highlights is not None:
            highlights = _model.positive_int(highlights, "highlights")
        request = _RankRequest(
            native=self._reranker._native,
            prepared=self._prepared,
            query=_model.text(query, "query"),
            chosen=chosen,
            scores=_model.one_of(scores, "scores", _model.SCORES),
            selection=selection,
            seconds=read_deadline(deadline_ms),
            highlights=highlights,
            return_documents=return_documents,
        )
        if latest:
            self._latest += 1
        call = self._latest

        def is_canceled() -> bool:
            if latest and call != self._latest:
                raise make_error("aborted", "a newer call replaced this one")
            return _stop is not None and _stop()

        return self._rank(request, Scored(total, None, is_canceled))

    def _rank(self, request: _RankRequest, scored: Scored) -> Generator[CollectionRanking, None, None]:
        started = time.perf_counter()
        total = len(scored.scores)
        backend = self._reranker.info["backend"]
        indices = range(self.size) if request.chosen is None else request.chosen

        def remaining() -> float | None:
            return None if request.seconds is None else request.seconds - (time.perf_counter() - started)

        def document_at(position: int) -> Any:
            return self._documents[indices[position]]

        def ranking(done: int, is_last: bool = False) -> CollectionRanking:
            ranked = rank_scores(scored.scores, *request.selection)
            options = request.scores, *self._limits, None
            best = scored.highlights(
                request.native,
                request.query,
                [(self._texts[indices[position]], scored.scores[position]) for position, _, _ in ranked],
                request.highlights if is_last else None,
                options,
                remaining,
            )
            return CollectionRanking(
                results=scored.results(ranked, best, indices, document_at if request.return_documents else None),
                done=done,
                total=total,
                usage=Usage(tokens=scored.tokens, documents=done),
                backend=backend,
                timings=Timings((time.perf_counter() - started) * 1000, scored.engine_ms),
                unscored=[i for i, score in zip(indices, scored.scores) if score is None] if is_last else [],
            )

        run = request.native.scoring_prepared(request.query, request.prepared, request.chosen, request.scores, request.seconds)
        done = 0
        for _, done in scored.steps(run):
            yield ranking(done)
        # Without a document there is one ranking too.
        if done < total or total == 0 or request.highlights is not None:
            yield ranking(done, is_last=True)

    def _indices(self, candidates: Sequence[int] | np.ndarray, has_first_stage: bool) -> list[int]:
        indices = candidates.tolist() if isinstance(candidates, np.ndarray) else list(candidates)
        # A dict keeps the order. The hits of several first stages, joined, have some documents twice.
        distinct: dict[int, None] = {}
        for position, index in enumerate(indices):
            if not isinstance(index, (int, np.integer)) or isinstance(index, bool) or not 0 <= index < self.size:
                raise input_error(f"candidates[{position}] must be the index of a document, from 0 to {self.size - 1}, not {index!r}")
            if has_first_stage and index in distinct:
                raise input_error(
                    f"candidates[{position}] is {index} again; with fuse, list each candidate once, with its one first_stage score"
                )
            distinct[int(index)] = None
        return list(distinct)

    def __len__(self) -> int:
        return self.size

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.dispose()


@dataclasses.dataclass(frozen=True)
class _RankRequest:
    """The checked options of `Collection.rank`."""

    native: NativeReranker
    prepared: NativeCollection
    query: str
    chosen: list[int] | None
    scores: str
    selection: tuple[int | None, float | None, FirstStage | None]
    seconds: float | None
    """The deadline, from the first iteration."""
    highlights: int | None
    return_documents: bool
