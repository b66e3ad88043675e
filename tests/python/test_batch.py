"""The recipes of docs/batch.md, with the real systems."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from ranklet import CrossEncoder

PAIRS = int(os.environ.get("RANKLET_BATCH_PAIRS", "2000"))
WORDS = "river city bridge capital science music bread history winter garden engine paper".split()

READ_SCORES = """
import json, sys, pyarrow.dataset
table = pyarrow.dataset.dataset(sys.argv[1]).to_table(columns=["id", "score"])
print(json.dumps([table["id"].to_pylist(), table["score"].to_pylist()]))
"""

WRITE_PAIRS = """
import json, sys, pyarrow, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.table(json.load(sys.stdin)), "pairs.parquet")
"""


def recipe(name: str) -> str:
    text = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- test: {name} -->\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1]


def pairs() -> tuple[list[str], list[str]]:
    random = np.random.default_rng(7)
    queries, documents = [], []
    for index in range(PAIRS):
        queries.append(" ".join(WORDS[(index // 100 + step) % len(WORDS)] for step in range(4)))
        documents.append(" ".join(random.choice(WORDS, size=int(random.integers(5, 30)))))
    return queries, documents


def run(python: str, program: str, folder: Path, *arguments: str, text: str | None = None) -> str:
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PATH": f"{ROOT / 'target' / 'release'}{os.pathsep}{os.environ['PATH']}",
    }
    command = [python, "-c", program, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, input=text, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def check(python: str, program: str, folder: Path) -> None:
    queries, documents = pairs()
    table = {"id": list(range(PAIRS)), "query": queries, "document": documents}
    run(python, WRITE_PAIRS, folder, text=json.dumps(table))
    run(python, program, folder)
    expected = CrossEncoder().predict(list(zip(queries, documents)))
    if list(folder.glob("scored/part-*[0-9]")):
        parts = sorted(folder.glob("scored/part-*[0-9]"))
        scores = [float(line) for part in parts for line in part.read_text().splitlines()]
        assert np.allclose(scores, expected, atol=1e-6)
        return
    scored = "scored" if (folder / "scored").is_dir() else "scored.parquet"
    ids, scores = json.loads(run(python, READ_SCORES, folder, scored))
    assert ids == list(range(PAIRS))
    assert np.array_equal(np.array(scores, np.float32), expected)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "packages"),
    [("polars", ["polars==2.1.0", "pyarrow"]), ("duckdb", ["duckdb==2.0.1", "pyarrow"])],
)
def test_columns_of_tables(name: str, packages: list[str], tmp_path: Path, environment_with: Callable[..., str]) -> None:
    check(environment_with(*packages), recipe(name), tmp_path)


@pytest.mark.long
def test_ray_scores_in_order_and_starts_a_lost_worker_again(
    tmp_path: Path, environment_with: Callable[..., str]
) -> None:
    python = environment_with("ray[data]==2.60.0")
    program = recipe("ray")
    (tmp_path / "whole").mkdir()
    check(python, program, tmp_path / "whole")
    (tmp_path / "lost").mkdir()
    check(python, dying(program, "    def __call__(self, batch: dict) -> dict:\n"), tmp_path / "lost")


@pytest.mark.long
def test_spark_scores_in_order_and_repeats_the_task_of_a_lost_worker(
    tmp_path: Path, environment_with: Callable[..., str]
) -> None:
    if shutil.which("java") is None:
        pytest.skip("there is no Java")
    python = environment_with("pyspark==4.3.0", "pyarrow", "pandas<3")
    for name in ("spark", "spark-pipe", "lost"):
        (tmp_path / name).mkdir()
        program = recipe("spark" if name == "lost" else name)
        if name == "lost":
            program = dying(program, "    for queries, documents in batches:\n")
        check(python, program, tmp_path / name)


def dying(program: str, line: str) -> str:
    """Kills the process that first comes after this line."""
    assert line in program
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    death = f"{indent}import os, signal\n{indent}try:\n{indent}    os.mkdir(MARK)\n"
    death += f"{indent}    os.kill(os.getpid(), signal.SIGKILL)\n{indent}except FileExistsError:\n{indent}    pass\n"
    return "import os\nMARK = os.path.abspath('killed')\n" + program.replace(line, line + death)
