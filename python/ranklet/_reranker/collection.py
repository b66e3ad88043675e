"""Documents that are tokenized once, for many queries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _model
from .._ranklet import NativeCollection, rank_scores
from ..errors import input_error, make_error
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
        latest: bool = False,
        _stop: Stop | None = None,
    ) -> Iterator[CollectionRanking]:
        """Ranks the documents for a query and yields the best so far while scoring. The last ranking is final.

        Args:
            candidates: indices of the documents to score, for example those that a first stage has found.
            latest: ends earlier calls with `latest`, whose loops raise an error with the code "aborted".
        """
        if self._prepared is None:
            raise make_error("disposed", "the collection was disposed; prepare the documents again")
        if top_n is not None:
            top_n = _model.positive_int(top_n, "top_n")
        chosen = None if candidates is None else self._indices(candidates)
        kind = _model.one_of(scores, "scores", _model.SCORES)
        scoring = self._reranker._native.scoring_prepared(_model.text(query, "query"), self._prepared, chosen, kind)
        if latest:
            self._latest += 1
        call = self._latest

        def is_replaced() -> bool:
            return (latest and call != self._latest) or (_stop is not None and _stop())

        total = self.size if chosen is None else len(chosen)
        return self._rank(scoring, total, chosen, top_n, return_documents, is_replaced)

    def _rank(
        self, scoring: Any, total: int, chosen: list[int] | None, top_n: int | None, return_documents: bool, stop: Stop
    ) -> Iterator[CollectionRanking]:
        started = time.perf_counter()
        scored = Scored(total, None, stop)
        backend = self._reranker.info["backend"]
        done = 0
        # Without a document there is one ranking too.
        for _, done in scored.steps(scoring) if total > 0 else [(0, 0)]:
            if stop():
                break
            results = []
            for position, score, _ in rank_scores(scored.scores, top_n, None, None):
                index = position if chosen is None else chosen[position]
                document = self._documents[index] if return_documents else None
                span = scored.spans.get(position)
                results.append(RerankResult(index=index, score=score, span=span, document=document))
            yield CollectionRanking(
                results=results,
                done=done,
                total=total,
                usage=Usage(tokens=scored.tokens, documents=done),
                backend=backend,
                timings=Timings(total_ms=(time.perf_counter() - started) * 1000),
            )
        if done < total:
            raise make_error("aborted", "a newer call replaced this one")

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
