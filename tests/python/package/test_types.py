"""The types of the package, and those that the examples see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from test_docs import blocks

from conftest import ROOT

PACKAGE = ROOT / "python" / "ranklet"
# Their frameworks are not installed.
ADAPTERS = {"haystack.py", "lancedb.py", "langchain.py", "llama_index.py"}


def test_the_package_and_the_examples_have_the_types_that_they_say(tmp_path: Path) -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.name not in ADAPTERS]
    examples = [*blocks("README.md", "python"), *blocks("docs/python.md", "python")]
    for number, example in enumerate(examples):
        (path := tmp_path / f"example_{number}.py").write_text(example, encoding="utf-8")
        files.append(path)
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--scripts-are-modules"]
    command += ["--python-version", "3.10", "--cache-dir", str(ROOT / ".build" / "mypy"), *map(str, files)]
    run = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=110)
    assert run.returncode == 0, run.stdout + run.stderr
