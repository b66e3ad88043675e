"""Scores pairs with a cross-encoder, the model that training starts from."""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np


def logits(ranklet, model, work, pairs):
    """Returns the logits of `(query, text)` pairs, computed by the built `ranklet` in q8, and keeps them in a file of `work`."""
    lines = "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)
    folder = Path(work) / "cross"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(lines.encode()).hexdigest()[:16]}.npy"
    if not path.exists():
        command = [ranklet, "score", "--model", model, "--dtype", "q8", "--scores", "raw", "--pairs", "-"]
        done = subprocess.run([str(part) for part in command], input=lines, check=True, stdout=subprocess.PIPE, text=True)
        np.save(path, np.array(done.stdout.split(), np.float32))
    return np.load(path)
