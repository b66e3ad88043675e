"""The types of the package, and those that the examples see."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import blocks

from conftest import MAX_PROCESS_SECONDS, ROOT
from ranklet import AsyncCollection, AsyncReranker, Collection, Reranker
from ranklet._reranker import options

PACKAGE = ROOT / "python" / "ranklet"
# Their frameworks are not installed.
ADAPTERS = {"haystack.py", "lancedb.py", "langchain.py", "llama_index.py"}


# Each line with a comment is wrong, and mypy must say so.
WRONG = """
from ranklet import AsyncReranker, CrossEncoder, Reranker


async def calls(reranker: AsyncReranker, model: CrossEncoder) -> None:
    await reranker.rerank("q", ["d"], top_n=1, min_score=0.5)
    await reranker.rerank("q", ["d"], topn=1)  # misspelt
    await reranker.rank("q", ["d"], top_n=1)  # top_k
    await AsyncReranker.load(thread=1)  # misspelt
    await reranker.explain("q", "d", samples="x")  # not a number
    await reranker.stream("q", ["d"]).aclose()
    collection = await reranker.prepare(["d"], rank_fields=["a"])
    await collection.rank("q", candidates=[0]).aclose()
    collection.rank("q", candidate=[0])  # misspelt
    model.predict([["q", "d"]])
    model.predit([["q", "d"]])  # misspelt


def close(reranker: Reranker) -> None:
    reranker.stream("q", ["d"]).close()
    reranker.prepare(["d"]).rank("q").close()
"""


def mypy(*files: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--scripts-are-modules"]
    command += ["--python-version", "3.10", "--cache-dir", str(ROOT / ".build" / "mypy"), *files]
    return subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=MAX_PROCESS_SECONDS)


def test_misspelt_options_and_members_are_errors_of_types(tmp_path: Path) -> None:
    (path := tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    run = mypy(str(path))
    wrong = [number for number, line in enumerate(WRONG.splitlines(), 1) if "#" in line]
    found = [int(line.split(":")[1]) for line in run.stdout.splitlines() if "wrong.py:" in line and " error: " in line]
    assert found == wrong, run.stdout + run.stderr


@pytest.mark.parametrize("owner", [Reranker, Collection], ids=lambda owner: owner.__name__)
def test_asynchronous_calls_have_the_types_of_all_options(owner: type) -> None:
    for name, call in inspect.getmembers(AsyncReranker if owner is Reranker else AsyncCollection, inspect.isroutine):
        if (annotation := getattr(call, "__annotations__", {}).get("options")) is None:
            continue
        typed = getattr(options, annotation.removeprefix("Unpack[of.").removesuffix("]")).__annotations__
        parameters = inspect.signature(getattr(owner, name)).parameters.values()
        wanted = {one.name: one.annotation for one in parameters if one.kind is one.KEYWORD_ONLY and one.name != "_stop"}
        assert wanted and {key: value.__forward_arg__ for key, value in typed.items()} == wanted, name


def test_the_package_and_the_examples_have_the_types_that_they_say(tmp_path: Path) -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.name not in ADAPTERS]
    examples = [*blocks("README.md", "python"), *blocks("docs/python.md", "python")]
    for number, example in enumerate(examples):
        (path := tmp_path / f"example_{number}.py").write_text(example, encoding="utf-8")
        files.append(path)
    run = mypy(*map(str, files))
    assert run.returncode == 0, run.stdout + run.stderr
