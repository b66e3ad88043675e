"""Threads, asyncio and Ctrl-C: scoring runs without the interpreter's lock."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from conftest import MAX_PROCESS_SECONDS
from ranklet import AsyncReranker, CrossEncoder, RankletError, Reranker
from ranklet._reranker.scored import WINDOW

PAIRS = [["How many people live in Berlin?", f"Berlin has {index} inhabitants. " * (index % 9 + 1)] for index in range(120)]


def test_eight_threads_and_asyncio_score_at_once() -> None:
    model = CrossEncoder(threads=2)
    expected = model.predict(PAIRS)
    slices = [slice(first, first + 40) for first in range(0, 80, 10)]

    def scores(part: slice) -> np.ndarray:
        return model.predict(PAIRS[part])

    async def gather() -> list[np.ndarray]:
        return await asyncio.gather(*[asyncio.to_thread(scores, part) for part in slices])

    with ThreadPoolExecutor(8) as executor:
        threads = [executor.submit(scores, part) for part in slices]
        tasks = asyncio.run(gather())
        for part, future, task in zip(slices, threads, tasks):
            assert np.array_equal(future.result(), expected[part])
            assert np.array_equal(task, expected[part])


def test_calls_of_threads_and_tasks_are_under_way_at_once() -> None:
    """Each call waits in its first micro-batch until all calls are there, which fails if one has to end first."""
    reranker = Reranker.load(device="cpu", threads=1)
    expected = reranker.score(PAIRS)
    everyone = threading.Barrier(8)

    def wait_once() -> Callable[[int, int], None]:
        has_waited = False

        def on_progress(done: int, total: int) -> None:
            nonlocal has_waited
            if not has_waited:
                assert done < total
                everyone.wait(60)
                has_waited = True

        return on_progress

    async def tasks() -> list[np.ndarray]:
        calls = AsyncReranker(reranker)
        return await asyncio.gather(*[calls.score(PAIRS, on_progress=wait_once()) for _ in range(4)])

    with ThreadPoolExecutor(4) as executor:
        threads = [executor.submit(reranker.score, PAIRS, on_progress=wait_once()) for _ in range(4)]
        for scores in [*asyncio.run(tasks()), *[thread.result() for thread in threads]]:
            assert np.array_equal(scores, expected)


def test_a_micro_batch_is_scored_while_another_thread_scores_one() -> None:
    """No thread gives up the interpreter's lock here, unless the native module does while it scores: only then can another
    thread begin and end a micro-batch in the time of one. How many processors are free does not matter."""
    model = CrossEncoder(threads=1)
    spans: list[list[tuple[float, float]]] = [[], []]

    def score(spans_of_thread: list[tuple[float, float]]) -> None:
        scoring = model._native.scoring_pairs(*zip(*PAIRS), "raw", None)
        while True:
            begin = time.perf_counter()
            part = scoring.step()
            spans_of_thread.append((begin, time.perf_counter()))
            if part is None:
                return

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        # On a busy machine, one thread can end before the other has begun.
        for _ in range(100):
            for part in spans:
                part.clear()
            threads = [threading.Thread(target=score, args=[part]) for part in spans]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if any(a < d and c < b for a, b in spans[0] for c, d in spans[1]):
                return
    finally:
        sys.setswitchinterval(interval)
    raise AssertionError("no two micro-batches were scored at the same time")


class StopAt:
    """Cancels a call when it looks for the n-th time whether it was canceled."""

    def __init__(self, look: int) -> None:
        self.look, self.looks = look, 0

    def __call__(self) -> bool:
        self.looks += 1
        return self.looks == self.look


def test_canceled_call_with_a_score_cache_ends_after_a_micro_batch() -> None:
    reranker = Reranker.load(device="cpu", threads=1, score_cache={"max_bytes": 1_000_000})
    documents = [f"{number} inhabitants " * 60 for number in range(WINDOW)]
    # The first look is before anything is scored.
    with pytest.raises(RankletError, match="canceled"):
        reranker.rerank("Berlin", documents, _stop=StopAt(2))
    again = reranker.rerank("Berlin", documents)
    assert 0 < again.timings.cache_hits < WINDOW // 4
    assert again.results == Reranker.load(device="cpu").rerank("Berlin", documents).results


def test_canceled_call_does_not_wait_for_a_call_that_scores_the_same_pairs() -> None:
    reranker = Reranker.load(device="cpu", threads=1, score_cache={"max_bytes": 1_000_000})
    documents = [f"{number} inhabitants " * 60 for number in range(WINDOW)]
    is_scoring, may_go_on = threading.Event(), threading.Event()
    has_scored = StopAt(2)

    def wait() -> bool:
        if has_scored():
            is_scoring.set()
            assert may_go_on.wait(60)
        return False

    with ThreadPoolExecutor(1) as executor:
        other = executor.submit(reranker.rerank, "Berlin", documents, _stop=wait)
        assert is_scoring.wait(60)
        try:
            with pytest.raises(RankletError, match="canceled"):
                reranker.rerank("Berlin", documents, _stop=StopAt(2))
        finally:
            may_go_on.set()
        assert len(other.result().results) == WINDOW


def test_canceled_call_ends_between_the_sentences_of_a_document() -> None:
    reranker = Reranker.load(device="cpu", threads=1)
    document = " ".join(f"Berlin has {number} inhabitants." for number in range(300))
    # It looks before scoring, after the document, and before its sentences.
    with pytest.raises(RankletError, match="canceled"):
        reranker.rerank("Berlin", [document], highlights=1, _stop=StopAt(4))


# Calls that would take longer than MAX_PROCESS_SECONDS: the second one with each window of documents.
LONG_CALLS = {
    "predict": 'model.predict([["query", "some words of a document " * 20]] * 200_000)',
    "score cache": 'reranker.rerank("query", [f"{n} words " * 100_000 for n in range(64)], long_documents="chunk")',
}


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("call", LONG_CALLS.values(), ids=LONG_CALLS)
def test_interrupt_ends_a_call_between_micro_batches(call: str) -> None:
    program = f"""
import signal
from ranklet import CrossEncoder, Reranker
# A shell's background jobs ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
model = CrossEncoder(dtype="f32", threads=1)
reranker = Reranker.load(device="cpu", dtype="f32", threads=1, score_cache={{"max_bytes": 1_000_000}})
try:
    print("started", flush=True)
    {call}
except KeyboardInterrupt:
    print("interrupted", reranker.score([["query", "document"]]).shape, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        # Most likely, the engine scores then. The test does not fail if it does not.
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=MAX_PROCESS_SECONDS)
        assert output == "interrupted (1,)\n"
    finally:
        process.kill()
        process.wait(timeout=10)
