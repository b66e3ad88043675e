"""Fixtures of the tests, and the report in the words of cargo test, which build.sh counts."""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
# No test waits without a bound: after this time, in seconds, the run ends with the stacks of all threads. The bounds are
# many times what a test takes, so that it does not fail on a busy machine.
MAX_SECONDS = 1200 if os.environ.get("RANKLET_LONG") == "1" else 600
# Maximum time of a program that a test runs.
MAX_PROCESS_SECONDS = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("RANKLET_LONG") != "1":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="RANKLET_LONG is not 1"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    count = {name: len(terminalreporter.stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
    failed = count["failed"] + count["error"]
    verdict = "FAILED" if failed else "ok"
    terminalreporter.write_line(f"test result: {verdict}. {count['passed']} passed; {failed} failed; {count['skipped']} ignored")


@pytest.fixture(autouse=True)
def time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    long = request.node.get_closest_marker("long")
    seconds = MAX_SECONDS if long is None else long.kwargs.get("seconds", MAX_SECONDS)
    faulthandler.dump_traceback_later(seconds, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


class Fixture:
    """A tiny model and what sentence-transformers computes with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expected: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        self.pairs: list[list[str]] = self.expected["pairs"]

    def __repr__(self) -> str:
        return self.folder.name

    def files(self) -> dict[str, bytes]:
        """The contents of its files by name."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and path.name != "expected.json"]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


def all_fixtures() -> list[Fixture]:
    folders = [path.parent for path in FIXTURES.glob("*/expected.json")]
    folders += [path.parent for path in FIXTURES.glob("families/*/expected.json")]
    return [Fixture(folder) for folder in sorted(folders)]


def fixture(name: str) -> Fixture:
    folder = FIXTURES / name
    return Fixture(folder if folder.is_dir() else FIXTURES / "families" / name)


class Canceled:
    """Cancels a task of an AsyncReranker at the first call of its `on_progress`, which returns when the task has ended.

    So the work goes on after the task, however busy the machine is.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._task: asyncio.Task[Any] | None = None
        self._ended = threading.Event()

    def on_progress(self, *call: Any) -> None:
        self.calls.append(call)
        assert self._task is not None
        self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        assert self._ended.wait(MAX_SECONDS)

    async def run(self, call: Coroutine[Any, Any, Any]) -> None:
        """Awaits a call, which is canceled, and then the end of its thread."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor() as executor:
            loop.set_default_executor(executor)
            self._task = loop.create_task(call)
            with pytest.raises(asyncio.CancelledError):
                await self._task
            self._ended.set()
        loop.set_default_executor(ThreadPoolExecutor())


@pytest.fixture(scope="session")
def environment_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Makes a virtual environment with the wheel and other packages; returns its Python."""

    def make(*packages: str, python: str = sys.executable) -> str:
        folder = tmp_path_factory.mktemp("environment")
        wheel = next((ROOT / ".build" / "wheels").glob("ranklet-*.whl"))
        subprocess.run([python, "-m", "venv", str(folder)], check=True, timeout=300)
        own = str(folder / "bin" / "python")
        pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
        subprocess.run([*pip, str(wheel), *packages], check=True, timeout=1000)
        return own

    return make
