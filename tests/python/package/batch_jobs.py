"""Runs the recipes of docs/batch.md and measures what their workers do."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from conftest import ROOT
from ranklet import CrossEncoder

PAIRS = int(os.environ.get("RANKLET_BATCH_PAIRS", "20000"))
WORDS = "river city bridge capital science music bread history winter garden engine paper".split()

# In the environment of a system: each of its processes appends what it does with models to the file RANKLET_TRACK.
TRACK = """
import json, os, time
if "RANKLET_TRACK" in os.environ:
    from ranklet import CrossEncoder, _model

    def record(**row):
        with open(os.environ["RANKLET_TRACK"], "a") as file:
            file.write(json.dumps({"pid": os.getpid(), **row}) + "\\n")

    def tracked_load(*arguments, load=_model.load):
        record(loaded=1)
        return load(*arguments)

    def tracked_predict(self, *arguments, predict=CrossEncoder.predict, **options):
        start, cpu = time.time(), time.process_time()
        scores = predict(self, *arguments, **options)
        record(start=start, end=time.time(), cpu=time.process_time() - cpu, pairs=len(scores))
        return scores

    _model.load, CrossEncoder.predict = tracked_load, tracked_predict
"""

READ_SCORES = """
import json, sys, pyarrow.dataset
table = pyarrow.dataset.dataset(sys.argv[1]).to_table(columns=["id", "score"])
print(json.dumps([table["id"].to_pylist(), table["score"].to_pylist()]))
"""

WRITE_PAIRS = """
import json, pyarrow, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.table(json.load(open("pairs.json"))), "pairs.parquet")
"""


def recipe(name: str) -> str:
    """Returns a recipe of the guide."""
    text = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- test: {name} -->\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1]


def pairs() -> tuple[list[str], list[str]]:
    """Makes the queries and the documents of all pairs."""
    random = np.random.default_rng(7)
    queries, documents = [], []
    for index in range(PAIRS):
        queries.append(" ".join(WORDS[(index // 100 + step) % len(WORDS)] for step in range(4)))
        documents.append(" ".join(random.choice(WORDS, size=int(random.integers(5, 30)))))
    return queries, documents


def expected_scores(model: CrossEncoder) -> np.ndarray:
    """Scores all pairs in this process."""
    scores: np.ndarray = model.predict(list(zip(*pairs())))
    return scores


def track(python: str) -> str:
    """Makes the processes of an environment record what they do; returns its Python."""
    command = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout.strip()
    (Path(packages) / "sitecustomize.py").write_text(TRACK, encoding="utf-8")
    return python


@dataclasses.dataclass(frozen=True)
class Measured:
    """The work of all workers together, from the first call of `predict` to the end of the last one."""

    pairs: int
    seconds: float
    """From the first call to the end of the last one."""
    seconds_in_predict: float
    cpu_seconds: float
    """Processor time in `predict`."""
    workers: int
    wall_seconds: float
    """Of the whole program."""

    @property
    def pairs_per_second(self) -> float:
        return self.pairs / self.seconds

    @property
    def share_in_predict(self) -> float:
        """The share of the time that a worker is in `predict`."""
        return self.seconds_in_predict / self.seconds / self.workers

    def __str__(self) -> str:
        return (
            f"{self.pairs_per_second:.0f} pairs/s in {self.seconds:.1f} s of {self.wall_seconds:.1f} s, "
            f"{self.share_in_predict:.1%} of it in predict, {self.cpu_seconds:.1f} s of processor time"
        )


class Job:
    """A program that scores all pairs, in a folder of its own."""

    def __init__(self, python: str, folder: Path) -> None:
        self.python, self.folder = python, folder
        self.wall_seconds = 0.0
        queries, documents = pairs()
        table = {"id": list(range(PAIRS)), "query": queries, "document": documents}
        (folder / "pairs.json").write_text(json.dumps(table), encoding="utf-8")
        self._wait(self._start(WRITE_PAIRS))

    def run(self, *programs: str) -> None:
        """Runs programs at once; each gets its number as an argument."""
        started = time.perf_counter()
        running = [self._start(program, str(number)) for number, program in enumerate(programs)]
        try:
            for process in running:
                self._wait(process)
        finally:
            for process in running:
                process.kill()
        self.wall_seconds = time.perf_counter() - started

    def scores(self) -> np.ndarray:
        """Returns the scores of the table that the program wrote, after checking that all pairs are there in order."""
        scored = "scored" if (self.folder / "scored").is_dir() else "scored.parquet"
        ids, scores = json.loads(self._wait(self._start(READ_SCORES, scored)))
        assert ids == list(range(PAIRS))
        return np.array(scores, np.float32)

    def loads(self) -> list[int]:
        """Returns how many models each process has loaded."""
        return list(Counter(row["pid"] for row in self._rows() if "loaded" in row).values())

    def measured(self) -> Measured:
        """Returns what the workers did."""
        calls = [row for row in self._rows() if "pairs" in row]
        assert sum(row["pairs"] for row in calls) == PAIRS
        return Measured(
            pairs=PAIRS,
            seconds=max(row["end"] for row in calls) - min(row["start"] for row in calls),
            seconds_in_predict=sum(row["end"] - row["start"] for row in calls),
            cpu_seconds=sum(row["cpu"] for row in calls),
            workers=len({row["pid"] for row in calls}),
            wall_seconds=self.wall_seconds,
        )

    def _rows(self) -> list[dict[str, Any]]:
        text = (self.folder / "track.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "RANKLET_TRACK": str(self.folder / "track.jsonl"),
            "PYSPARK_PYTHON": self.python,
            "PYSPARK_DRIVER_PYTHON": self.python,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "PATH": f"{ROOT / 'target' / 'release'}{os.pathsep}{os.environ['PATH']}",
        }
        command = [self.python, "-c", program, *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _wait(self, process: subprocess.Popen[str]) -> str:
        try:
            output, errors = process.communicate(timeout=900)
        finally:
            process.kill()
        assert process.returncode == 0, errors[-4000:]
        return output
