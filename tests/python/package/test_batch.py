"""The recipes of docs/batch.md, with the real systems.

RANKLET_BATCH_PAIRS is the number of pairs, 20,000 by default. `-s` shows the throughput.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from batch_jobs import Job, Measured, expected_scores, recipe, track

from ranklet import CrossEncoder

# Two processes without a system around them: the second half of the pairs is of the other one.
PLAIN = """
import sys
import numpy as np
import pyarrow.parquet
from ranklet import CrossEncoder
pairs = pyarrow.parquet.read_table("pairs.parquet")
half = len(pairs) // 2
pairs = pairs.slice(int(sys.argv[1]) * half, half).select(["query", "document"]).to_pydict()
pairs = list(zip(pairs["query"], pairs["document"]))
model = CrossEncoder(threads=1)
scores = [model.predict(pairs[first : first + 256]) for first in range(0, half, 256)]
np.save(f"plain-{sys.argv[1]}", np.concatenate(scores))
"""


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    return expected_scores(CrossEncoder())


@pytest.fixture(scope="module")
def ray(environment_with: Callable[..., str]) -> str:
    return track(os.environ.get("RANKLET_RAY_PYTHON") or environment_with("ray[data]==2.60.0"))


@pytest.fixture(scope="module")
def spark(environment_with: Callable[..., str]) -> str:
    if shutil.which("java") is None:
        pytest.skip("there is no Java")
    packages = ["pyspark==4.3.0", "pyarrow", "pandas<3"]
    return track(os.environ.get("RANKLET_SPARK_PYTHON") or environment_with(*packages))


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "packages"),
    [("polars", ["polars==2.1.0", "pyarrow"]), ("duckdb", ["duckdb==2.0.1", "pyarrow"])],
)
def test_columns_of_tables(
    name: str, packages: list[str], tmp_path: Path, environment_with: Callable[..., str], expected: np.ndarray
) -> None:
    job = Job(environment_with(*packages), tmp_path)
    job.run(recipe(name))
    assert np.array_equal(job.scores(), expected)


@pytest.mark.long(seconds=3600)
def test_ray_scores_in_order_with_one_model_for_each_worker(ray: str, tmp_path: Path, expected: np.ndarray) -> None:
    job = Job(ray, tmp_path)
    job.run(recipe("ray"))
    assert np.array_equal(job.scores(), expected)
    assert job.loads() == [1, 1]


@pytest.mark.long(seconds=3600)
def test_ray_loses_nothing_with_a_killed_worker(ray: str, tmp_path: Path, expected: np.ndarray) -> None:
    job = Job(ray, tmp_path)
    job.run(dying(recipe("ray"), "    def __call__(self, batch: dict) -> dict:\n"))
    assert (tmp_path / "killed").is_dir()
    assert np.array_equal(job.scores(), expected)
    assert job.loads() == [1, 1, 1]


@pytest.mark.long(seconds=3600)
def test_spark_scores_in_order_with_one_model_for_each_worker(spark: str, tmp_path: Path, expected: np.ndarray) -> None:
    job = Job(spark, tmp_path)
    job.run(recipe("spark"))
    assert np.array_equal(job.scores(), expected)
    assert job.loads() == [1, 1]


@pytest.mark.long(seconds=3600)
def test_spark_loses_nothing_with_a_killed_worker(spark: str, tmp_path: Path, expected: np.ndarray) -> None:
    job = Job(spark, tmp_path)
    job.run(dying(recipe("spark"), "    for queries, documents in batches:\n"))
    assert (tmp_path / "killed").is_dir()
    assert np.array_equal(job.scores(), expected)
    assert job.loads() == [1, 1, 1]


@pytest.mark.long(seconds=3600)
def test_spark_pipes_pairs_through_the_command_line(spark: str, tmp_path: Path, expected: np.ndarray) -> None:
    job = Job(spark, tmp_path)
    job.run(recipe("spark-pipe"))
    parts = sorted(tmp_path.glob("scored/part-*[0-9]"))
    assert len(parts) == 2
    scores = [float(line) for part in parts for line in part.read_text().splitlines()]
    assert np.allclose(scores, expected, atol=1e-6)


@pytest.mark.long(seconds=3600)
@pytest.mark.parametrize("system", ["ray", "spark"])
def test_throughput_is_within_a_tenth_of_two_plain_processes(system: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Alternates both, so that other programs on the machine slow them alike."""
    python = request.getfixturevalue(system)
    plain: list[Measured] = []
    scaled: list[Measured] = []
    for repetition in range(3):
        for name, runs, programs in [("plain", plain, [PLAIN, PLAIN]), (system, scaled, [recipe(system)])]:
            (folder := tmp_path / f"{name}-{repetition}").mkdir()
            job = Job(python, folder)
            job.run(*programs)
            runs.append(job.measured())
    for name, runs in [("two plain processes", plain), (system, scaled)]:
        print(f"\n{name}: " + "; ".join(map(str, runs)))
    rates = [median(run.pairs_per_second for run in runs) for runs in (scaled, plain)]
    shares = [median(run.share_in_predict for run in runs) for runs in (scaled, plain)]
    costs = [median(run.cpu_seconds for run in runs) for runs in (plain, scaled)]
    ratio, ideal = rates[0] / rates[1], shares[0] / shares[1] * costs[0] / costs[1]
    print(f"{system} has {ratio:.3f} of the throughput; {ideal:.3f} by processor time")
    if min(run.cpu_seconds / run.seconds_in_predict for run in plain + scaled) < 0.95:
        pytest.skip("other programs took processors, so the times say nothing")
    assert ideal > 0.9 and ratio > 0.9


def dying(program: str, line: str) -> str:
    """Kills the process that first comes after this line."""
    assert line in program
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    death = f"{indent}import os, signal\n{indent}try:\n{indent}    os.mkdir(MARK)\n"
    death += f"{indent}    os.kill(os.getpid(), signal.SIGKILL)\n{indent}except FileExistsError:\n{indent}    pass\n"
    return "import os\nMARK = os.path.abspath('killed')\n" + program.replace(line, line + death)
