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

PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
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


def share_of(seconds: float, command: list[str]) -> float:
    """Runs a command once for each processor, for some seconds. Returns the number of processors that they had together."""
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSORS)]
    try:
        return sum(float(process.communicate(timeout=seconds + 60)[0]) for process in processes) / seconds
    finally:
        for process in processes:
            process.kill()
            process.wait(timeout=10)


@pytest.mark.skipif(PROCESSORS < 2, reason="one processor is busy with one thread too")
def test_threads_and_tasks_keep_all_processors_busy() -> None:
    """Compares with processes that only count, one for each processor, because other programs may take processors too."""
    model = CrossEncoder(threads=1)
    expected = model.predict(PAIRS[:16])
    seconds, rounds = 1.0, 3

    def scores_until(end: float) -> None:
        while time.perf_counter() < end:
            assert np.array_equal(model.predict(PAIRS[:16]), expected)

    async def tasks(end: float) -> None:
        await asyncio.gather(*[asyncio.to_thread(scores_until, end) for _ in range(4)])

    count = "import time; e = time.monotonic() + %s\nwhile time.monotonic() < e: pass\nprint(time.process_time())"
    ratios = []
    for _ in range(rounds):
        wanted = share_of(seconds, [sys.executable, "-S", "-c", count % seconds])
        started, used = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(4) as executor:
            threads = [executor.submit(scores_until, started + seconds) for _ in range(4)]
            asyncio.run(tasks(started + seconds))
            for thread in threads:
                thread.result(timeout=60)
        share = (time.process_time() - used) / (time.perf_counter() - started)
        ratios.append(share / wanted)
    # A call that held the interpreter's lock would leave all processors but one idle.
    assert max(ratios) > 0.8, ratios


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
import signal, sys, time
from ranklet import CrossEncoder
# A shell's background jobs ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
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
