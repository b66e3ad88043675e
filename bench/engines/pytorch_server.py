"""Score workloads with PyTorch on a CUDA device; input and output as in onnxruntime_server.py.

    python pytorch_server.py FOLDER DTYPE

FOLDER is a checkpoint, DTYPE is f32 or f16. Documents are sorted by length and
scored in batches of 32, as in sentence-transformers.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

BATCH = 32
MAX_LENGTH = 512


def score(tokenizer, model, query, documents):
    """Return the logits in document order."""
    order = sorted(range(len(documents)), key=lambda index: len(documents[index]))
    scores = torch.empty(len(documents))
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            texts = [documents[index] for index in batch]
            inputs = tokenizer([query] * len(batch), texts, padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
            scores[batch] = model(**inputs.to("cuda")).logits[:, 0].float().cpu()
    return scores.tolist()


def respond(value):
    """Write one line of JSON."""
    print(json.dumps(value), flush=True)


def main(folder, dtype):
    """Load, then respond until stdin ends."""
    started = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch_dtype = {"f32": torch.float32, "f16": torch.float16}[dtype]
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch_dtype).to("cuda").eval()
    respond(
        {
            "load_ms": (time.perf_counter() - started) * 1e3,
            "backend": {"engine": "PyTorch", "version": torch.__version__, "adapter": torch.cuda.get_device_name()},
        }
    )
    for line in sys.stdin:
        workload = json.loads(line)
        started = time.perf_counter()
        scores = score(tokenizer, model, workload["query"], workload["documents"])
        respond({"ms": (time.perf_counter() - started) * 1e3, "scores": scores})


if __name__ == "__main__":
    main(*sys.argv[1:])
