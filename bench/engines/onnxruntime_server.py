"""Score workloads with onnxruntime: read one per line on stdin, write scores and times.

    python onnxruntime_server.py FOLDER FILE THREADS

FOLDER contains tokenizer.json and FILE, an ONNX model. The first line on stdout
describes what was loaded. A workload is {"query", "documents"}. Documents are
sorted by length and scored in batches of 16, the fastest size for onnxruntime.
Times run from texts to scores, as for Ranklet.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

# The tokenizer must not use more threads than the model.
os.environ["RAYON_NUM_THREADS"] = sys.argv[3]

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

BATCH = 16
MAX_LENGTH = 512


def peak_bytes():
    """Return the peak memory of this process. The system reports KiB on Linux, bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def load(folder, file, threads):
    """Return the tokenizer and the session."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    providers = ["CPUExecutionProvider"]
    return tokenizer, onnxruntime.InferenceSession(str(folder / file), options, providers=providers)


def score(tokenizer, session, query, documents):
    """Return the logits in document order."""
    order = sorted(range(len(documents)), key=lambda index: len(documents[index]))
    scores = np.empty(len(documents), np.float32)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        encoded = tokenizer.encode_batch([(query, documents[index]) for index in batch])
        inputs = {
            "input_ids": np.array([one.ids for one in encoded], np.int64),
            "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
            "token_type_ids": np.array([one.type_ids for one in encoded], np.int64),
        }
        scores[batch] = session.run(None, inputs)[0][:, 0]
    return scores


def respond(value):
    """Write one line of JSON."""
    print(json.dumps(value), flush=True)


def main(folder, file, threads):
    """Load, then respond until stdin ends."""
    started = time.perf_counter()
    tokenizer, session = load(Path(folder), file, int(threads))
    respond(
        {
            "load_ms": (time.perf_counter() - started) * 1e3,
            "peak_bytes": peak_bytes(),
            "backend": {"engine": "onnxruntime", "version": onnxruntime.__version__},
        }
    )
    for line in sys.stdin:
        workload = json.loads(line)
        started = time.perf_counter()
        scores = score(tokenizer, session, workload["query"], workload["documents"])
        elapsed = time.perf_counter() - started
        respond({"ms": elapsed * 1e3, "scores": scores.tolist(), "peak_bytes": peak_bytes()})


if __name__ == "__main__":
    main(*sys.argv[1:])
