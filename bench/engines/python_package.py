"""Score workloads with a Python package; input and output as in onnxruntime_server.py.

    python python_package.py PACKAGE FOLDER DTYPE THREADS BATCH

PACKAGE is ranklet, sentence-transformers or fastembed. FOLDER is a checkpoint;
fastembed reads the ONNX file that the bench exported into it. The first line
has the time from the import to the first score, and the peak memory after it.
"""

import json
import resource
import sys
import time


def ranklet(folder, dtype, threads, batch):
    from ranklet import CrossEncoder, Identity

    model = CrossEncoder(folder, dtype=dtype, threads=threads, activation_fn=Identity())
    return lambda query, documents: model.predict([(query, document) for document in documents])


def sentence_transformers(folder, dtype, threads, batch):
    import torch
    from sentence_transformers import CrossEncoder

    torch.set_num_threads(threads)
    # Else a checkpoint in f16 is computed in f16, which is slow on a CPU.
    options = {"dtype": torch.float32}
    model = CrossEncoder(folder, device="cpu", activation_fn=torch.nn.Identity(), model_kwargs=options)
    return lambda query, documents: model.predict([(query, document) for document in documents], batch_size=batch, show_progress_bar=False)


def fastembed(folder, dtype, threads, batch):
    from fastembed.common.model_description import ModelSource
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    TextCrossEncoder.add_custom_model("bench", sources=ModelSource(hf="bench/bench"), model_file="onnx/model.onnx")
    model = TextCrossEncoder("bench", threads=threads, specific_model_path=folder)
    return lambda query, documents: list(model.rerank(query, documents, batch_size=batch))


def peak_bytes():
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def respond(value):
    """Write one line of JSON."""
    print(json.dumps(value), flush=True)


def main(package, folder, dtype, threads, batch):
    """Load, then respond until stdin ends."""
    started = time.perf_counter()
    make = {"ranklet": ranklet, "sentence-transformers": sentence_transformers, "fastembed": fastembed}[package]
    score = make(folder, dtype, int(threads), int(batch))
    score("a query", ["a document"])
    respond({"first_score_ms": (time.perf_counter() - started) * 1e3, "peak_bytes": peak_bytes()})
    for line in sys.stdin:
        workload = json.loads(line)
        started = time.perf_counter()
        scores = score(workload["query"], workload["documents"])
        elapsed = (time.perf_counter() - started) * 1e3
        respond({"ms": elapsed, "scores": [float(score) for score in scores], "peak_bytes": peak_bytes()})


if __name__ == "__main__":
    main(*sys.argv[1:])
