"""Threads, asyncio and Ctrl-C: scoring runs without the interpreter's lock."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ranklet import CrossEncoder

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
            assert np.array_equal(future.result(timeout=60), expected[part])
            assert np.array_equal(task, expected[part])


def test_other_threads_run_while_a_call_scores() -> None:
    model = CrossEncoder(threads=1)
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.perf_counter()
    model.predict(PAIRS * 3)
    seconds = time.perf_counter() - started
    done.set()
    thread.join(timeout=10)
    # A thread that waits 1 ms each time ticks some hundred times a second; 20 are enough on a busy machine.
    assert ticks > 20 * seconds, (ticks, seconds)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupt_ends_a_call_between_micro_batches() -> None:
    program = """
import sys, time
from ranklet import CrossEncoder
model = CrossEncoder(threads=1)
pairs = [["query", "some words of a document " * 20]] * 200_000
print("started", flush=True)
try:
    model.predict(pairs)
except KeyboardInterrupt:
    print("interrupted", model.predict([["query", "document"]]).shape, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        started = time.perf_counter()
        output, _ = process.communicate(timeout=60)
        assert output == "interrupted (1,)\n"
        assert time.perf_counter() - started < 30
    finally:
        process.kill()
        process.wait(timeout=10)
