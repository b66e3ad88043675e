"""The Python examples of the READMEs and the guide run."""

from __future__ import annotations

import contextlib
import io
import re

from conftest import ROOT


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def printed_by(name: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks(name, "python"):
            exec(block, {})
    return printed.getvalue()


def test_readme_ranks_the_answer_first() -> None:
    assert "Paris" in printed_by("README.md").splitlines()[0]


def test_readme_of_the_package_ranks_the_answer_first() -> None:
    assert printed_by("python/README.md").startswith("1 ")


def test_examples_of_moving_from_other_libraries_find_the_answer() -> None:
    assert printed_by("docs/migrating.md") == "1\n1\n2\n"


def test_examples_of_the_guide_run() -> None:
    lines = printed_by("docs/python.md").splitlines()
    assert lines[0].startswith("Paris ") and lines[-3:] == ["1", "capital 0.9", "0 1"]
