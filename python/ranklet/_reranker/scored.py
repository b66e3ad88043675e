"""Collects the scores of a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from .. import _ranklet
from .._ranklet import NativeReranker, NativeScoring
from ..errors import make_error
from .results import Highlight, RerankResult

# Documents that a call with a cache of scores hands to the engine at once.
WINDOW = 64
# Documents whose sentences a call hands to the engine at once.
HIGHLIGHT_WINDOW = 8

Result = TypeVar("Result")
Stop = Callable[[], bool]
Progress = Callable[[int, int], object]
ScoringOptions = tuple[str, "int | None", str, "str | None"]


def check_stop(stop: Stop | None) -> None:
    """Raises an error with the code "aborted" if the call was canceled."""
    if stop is not None and stop():
        raise make_error("aborted", "the call was canceled")


def report(done: int, total: int, on_progress: Progress | None, stop: Stop | None) -> None:
    """Reports the progress of a call, which ends here if it was canceled."""
    if on_progress is not None:
        on_progress(done, total)
    check_stop(stop)


class Scored:
    """The scores of the documents of a call, for a model with one label."""

    def __init__(self, total: int, on_progress: Progress | None, stop: Stop | None) -> None:
        self.scores: list[float | None] = [None] * total
        self.spans: dict[int, tuple[int, int]] = {}
        self.tokens = 0
        self.cache_hits = 0
        self.engine_ms = 0.0
        self._on_progress = on_progress
        self._stop = stop

    def steps(self, scoring: NativeScoring) -> Iterator[tuple[int, int]]:
        """Runs the micro-batches of a run; yields the range of documents that each has finished."""
        done = 0
        self._check()
        while (part := self._timed(scoring.step)) is not None:
            if scoring.restarted:
                self.scores, self.spans, done = [None] * len(self.scores), {}, 0
                continue
            scores = np.frombuffer(part, np.float32).tolist()
            begin, done = done, done + len(scores)
            self.scores[begin:done] = scores
            self.spans.update(enumerate(scoring.spans or (), begin))
            self.tokens = scoring.tokens
            self._report(done)
            yield begin, done

    def run(self, scoring: NativeScoring) -> None:
        """Runs all micro-batches of a run."""
        for _ in self.steps(scoring):
            pass

    def highlights(
        self,
        native: NativeReranker,
        query: str,
        documents: list[tuple[str, float | None]],
        count: int | None,
        options: ScoringOptions,
        remaining: Callable[[], float | None] = lambda: None,
    ) -> list[list[Highlight] | None]:
        """Finds the `count` best sentences of each document, which is given with its score; `None` without a count, and
        after the deadline."""
        found: list[list[Highlight] | None] = [None] * len(documents)
        for begin in range(0, 0 if count is None else len(documents), HIGHLIGHT_WINDOW):
            self._check()
            seconds = remaining()
            if seconds is not None and seconds <= 0:
                break
            window = documents[begin : begin + HIGHLIGHT_WINDOW]
            best, tokens = self._timed(_ranklet.highlights, native, query, window, count, *options, seconds, self._check)
            self.tokens += tokens
            found[begin : begin + len(best)] = [[Highlight(*sentence) for sentence in document] for document in best]
        return found

    def results(
        self,
        ranked: Iterable[tuple[int, float, float | None]],
        highlights: list[list[Highlight] | None],
        indices: Sequence[int],
        document_at: Callable[[int], Any] | None,
    ) -> list[RerankResult]:
        """Makes the results of ranked documents. Each is given with its position in this call, its score and the model's
        score with `fuse`. `indices` are those of the caller, and `document_at` returns the document at a position."""
        return [
            RerankResult(
                index=indices[position],
                score=score,
                model_score=model_score,
                span=self.spans.get(position),
                highlights=best,
                document=None if document_at is None else document_at(position),
            )
            for (position, score, model_score), best in zip(ranked, highlights)
        ]

    def run_cached(
        self,
        native: NativeReranker,
        query: str,
        texts: list[str],
        options: ScoringOptions,
        remaining: Callable[[], float | None],
    ) -> None:
        """Scores documents with the cache of scores. `remaining` returns the seconds until the deadline."""
        for begin in range(0, len(texts), WINDOW):
            self._check()
            seconds = remaining()
            if seconds is not None and seconds <= 0:
                return
            window = texts[begin : begin + WINDOW]
            scores, spans, tokens, hits = self._timed(native.score_cached, query, window, *options, seconds, self._check)
            self.scores[begin : begin + len(scores)] = scores
            self.spans.update((begin + at, span) for at, span in enumerate(spans) if span is not None)
            self.tokens += tokens
            self.cache_hits += hits
            self._report(begin + len(scores))

    def _timed(self, call: Callable[..., Result], *arguments: Any) -> Result:
        started = time.perf_counter()
        result = call(*arguments)
        self.engine_ms += (time.perf_counter() - started) * 1000
        return result

    def _check(self) -> None:
        check_stop(self._stop)

    def _report(self, done: int) -> None:
        report(done, len(self.scores), self._on_progress, self._stop)
