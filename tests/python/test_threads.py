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
from ranklet import AsyncReranker, CrossEncoder, Reranker

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


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupt_ends_a_call_between_micro_batches() -> None:
    program = """
import signal
from ranklet import CrossEncoder
# A shell's background jobs ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
model = CrossEncoder(dtype="f32", threads=1)
try:
    print("started", flush=True)
    # It would take longer than MAX_PROCESS_SECONDS.
    model.predict([["query", "some words of a document " * 20]] * 200_000)
except KeyboardInterrupt:
    print("interrupted", model.predict([["query", "document"]]).shape, flush=True)
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
