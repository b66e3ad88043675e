"""Serve an 8-bit ONNX model with FastAPI, onnxruntime and dynamic batching.

    python onnxruntime_server.py FOLDER PORT

Requests that arrive within a few milliseconds, or while the model computes, are
scored together: their pairs are sorted by length and run in small batches, which
leaves little padding. The number of threads and the size of the batches are those
that are fastest on this machine.
"""

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import onnxruntime
import uvicorn
from rerank_api import create_app
from tokenizers import Tokenizer

MAX_LENGTH = 512
MODEL = "onnx/model_quantized.onnx"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# Pairs that are collected and sorted together, and how long the first of them waits for others.
MAX_PAIRS = 128
MAX_WAIT_S = 0.003
# Pairs per run of the model.
BATCHES = (8, 16, 32)


class Model:
    """Scores pairs."""

    def __init__(self, folder, threads):
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_LENGTH)
        self.tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
        self.batch = BATCHES[0]

    def score(self, pairs):
        """Return the probabilities of pairs in their order."""
        encoded = self.tokenizer.encode_batch(pairs)
        order = sorted(range(len(pairs)), key=lambda pair: len(encoded[pair].ids))
        scores = np.empty(len(pairs), np.float32)
        for start in range(0, len(order), self.batch):
            batch = order[start : start + self.batch]
            scores[batch] = self.run([encoded[pair] for pair in batch])
        return 1 / (1 + np.exp(-scores))

    def run(self, batch):
        """Return the logits of one padded batch, whose longest pair is the last one."""
        shape = (len(batch), len(batch[-1].ids))
        inputs = {name: np.zeros(shape, np.int64) for name in INPUTS}
        for row, one in enumerate(batch):
            length = len(one.ids)
            inputs["input_ids"][row, :length] = one.ids
            inputs["attention_mask"][row, :length] = 1
            inputs["token_type_ids"][row, :length] = one.type_ids
        return self.session.run(None, inputs)[0][:, 0]


def fastest(folder):
    """Measure one call on all cores and a call per core, with all sizes of batches.

    Return the number of calls at a time and the model for them.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pairs = [("how many words", "word " * count) for count in range(25, 225, 5)]
    best = None
    for calls, threads in {(1, cores), (cores, 1)}:
        model = Model(folder, threads)
        with ThreadPoolExecutor(calls) as executor:
            for batch in BATCHES:
                model.batch = batch
                model.score(pairs)
                started = time.perf_counter()
                list(executor.map(model.score, [pairs] * cores))
                seconds = time.perf_counter() - started
                if best is None or seconds < best[0]:
                    best = (seconds, calls, model, batch)
    _, calls, model, model.batch = best
    return calls, model


class Batcher:
    """Collects the pairs of concurrent requests and scores them together."""

    def __init__(self, calls, model):
        self.calls = calls
        self.model = model
        self.waiting = asyncio.Queue()
        self.executor = ThreadPoolExecutor(calls)

    async def score(self, query, documents, _is_disconnected):
        """Return the probabilities of a request."""
        done = asyncio.get_running_loop().create_future()
        await self.waiting.put(([(query, document) for document in documents], done))
        return await done

    async def collect(self):
        """Return waiting requests that have about MAX_PAIRS pairs; wait MAX_WAIT_S for more of them."""
        requests = [await self.waiting.get()]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + MAX_WAIT_S
        count = len(requests[0][0])
        while count < MAX_PAIRS:
            try:
                request = self.waiting.get_nowait()
            except asyncio.QueueEmpty:
                try:
                    request = await asyncio.wait_for(self.waiting.get(), deadline - loop.time())
                except TimeoutError:
                    break
            requests.append(request)
            count += len(request[0])
        return requests

    async def run(self):
        """Score until it is canceled."""
        loop = asyncio.get_running_loop()
        while True:
            requests = await self.collect()
            pairs = [pair for one, _ in requests for pair in one]
            work = loop.run_in_executor(self.executor, self.model.score, pairs)
            await asyncio.wait([work])
            start = 0
            for one, done in requests:
                end = start + len(one)
                if done.cancelled():
                    pass
                elif work.exception() is None:
                    done.set_result(work.result()[start:end])
                else:
                    done.set_exception(work.exception())
                start = end

    @asynccontextmanager
    async def lifespan(self, _app):
        """Run while the server runs."""
        tasks = [asyncio.create_task(self.run()) for _ in range(self.calls)]
        yield
        for task in tasks:
            task.cancel()


def main(folder, port):
    """Serve until the process is ended."""
    calls, model = fastest(Path(folder))
    batcher = Batcher(calls, model)
    settings = f"{calls} calls at a time, batches of {model.batch}"
    app = create_app(batcher.score, settings, batcher.lifespan)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
