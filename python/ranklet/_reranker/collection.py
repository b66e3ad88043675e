"""Documents that are tokenized once, for many queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _model
from .._ranklet import NativeCollection, NativeScoring, rank_scores
from ..errors import input_error, make_error
from .fusion import FirstStage, read_deadline, read_fuse
from .results import CollectionRanking, RerankResult, Timings, Usage
from .scored import Scored, Stop

if TYPE_CHECKING:
    from .reranker import Reranker


class Collection:
    """Tokenized documents of a reranker. Created by `Reranker.prepare`."""

    def __init__(self, reranker: Reranker, prepared: NativeCollection, documents: Sequence[Any]) -> None:
        self._reranker = reranker
        self._prepared: NativeCollection | None = prepared
        self._documents = documents
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
        latest: bool = False,
        _stop: Stop | None = None,
    ) -> Iterator[CollectionRanking]:
        """Ranks the documents for a query and yields the best so far while scoring. The last ranking is final.

        Args:
            candidates: indices of the documents to score, for example those that a first stage has found.
            min_score, fuse: as for `Reranker.rerank`; `first_stage` has a score for each of the candidates.
            deadline_ms: the time from the first iteration; the last ranking has the documents scored by then.
            latest: ends earlier calls with `latest`, whose loops raise an error with the code "aborted".
        """
        if self._prepared is None:
            raise make_error("disposed", "the collection was disposed; prepare the documents again")
        if top_n is not None:
            top_n = _model.positive_int(top_n, "top_n")
        chosen = None if candidates is None else self._indices(candidates)
        total = self.size if chosen is None else len(chosen)
        kind = _model.one_of(scores, "scores", _model.SCORES)
        selection = top_n, min_score, read_fuse(fuse)
        # Refuses wrong options before anything is scored.
        rank_scores([None] * total, *selection)
        native, prepared, seconds = self._reranker._native, self._prepared, read_deadline(deadline_ms)
        query = _model.text(query, "query")

        def begin() -> NativeScoring:
            return native.scoring_prepared(query, prepared, chosen, kind, seconds)

        if latest:
            self._latest += 1
        call = self._latest

        def is_canceled() -> bool:
            if latest and call != self._latest:
                raise make_error("aborted", "a newer call replaced this one")
            return _stop is not None and _stop()

        return self._rank(begin, total, chosen, selection, return_documents, is_canceled)

    def _rank(
        self,
        begin: Callable[[], NativeScoring],
        total: int,
        chosen: list[int] | None,
        selection: tuple[int | None, float | None, FirstStage | None],
        return_documents: bool,
        stop: Stop,
    ) -> Iterator[CollectionRanking]:
        started = time.perf_counter()
        scored = Scored(total, None, stop)
        backend = self._reranker.info["backend"]
        indices = range(total) if chosen is None else chosen

        def ranking(done: int, unscored: list[int]) -> CollectionRanking:
            results = [
                RerankResult(
                    index=indices[position],
                    score=score,
                    model_score=model_score,
                    span=scored.spans.get(position),
                    document=self._documents[indices[position]] if return_documents else None,
                )
                for position, score, model_score in rank_scores(scored.scores, *selection)
            ]
            return CollectionRanking(
                results=results,
                done=done,
                total=total,
                usage=Usage(tokens=scored.tokens, documents=done),
                backend=backend,
                timings=Timings((time.perf_counter() - started) * 1000, scored.engine_ms),
                unscored=unscored,
            )

        done = 0
        for _, done in scored.steps(begin()):
            yield ranking(done, [])
        # Without a document there is one ranking too.
        if done < total or total == 0:
            yield ranking(done, [index for index, score in zip(indices, scored.scores) if score is None])

    def _indices(self, candidates: Sequence[int] | np.ndarray) -> list[int]:
        indices = candidates.tolist() if isinstance(candidates, np.ndarray) else list(candidates)
        for position, index in enumerate(indices):
            if not isinstance(index, (int, np.integer)) or isinstance(index, bool) or not 0 <= index < self.size:
                raise input_error(
                    f"candidates[{position}] must be the index of a document, from 0 to {self.size - 1}, not {index!r}"
                )
        return [int(index) for index in indices]

    def __len__(self) -> int:
        return self.size

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.dispose()
