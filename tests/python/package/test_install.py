"""The wheel in fresh environments of every Python that is here, and the source distribution without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_docs import blocks

from conftest import MAX_PROCESS_SECONDS, ROOT

VERSIONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]


def find_python(version: str) -> str | None:
    """Returns a Python of this version in the search path, or one that pyenv or uv has installed."""
    homes = [Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python"]
    installed = [path for home in homes for path in sorted(home.glob(f"*{version}*/bin/python{version}"))]
    candidates = [*map(str, installed), shutil.which(f"python{version}")]
    check = f"import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    for python in filter(None, candidates):
        if subprocess.run([python, "-c", check], capture_output=True, timeout=60, check=False).returncode == 0:
            return python
    return None


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_wheel_runs_the_readme_in_a_fresh_environment(version: str, environment_with: Callable[..., str]) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    own = environment_with(python=python)
    program = "\n".join(blocks("README.md", "python"))
    # Without the folder of this repository in the path of modules.
    run = subprocess.run([own, "-I", "-c", program], capture_output=True, text=True, timeout=MAX_PROCESS_SECONDS)
    assert run.returncode == 0, run.stderr
    assert "Paris" in run.stdout.splitlines()[0]


@pytest.mark.long(seconds=3600)
def test_source_distribution_builds_without_a_network_and_without_crates_on_the_machine(tmp_path: Path) -> None:
    """maturin and numpy, which pip would download, are installed before."""
    subprocess.run(["./build.sh", "sdist"], cwd=ROOT, check=True, timeout=600)
    archive = next((ROOT / ".build" / "wheels").glob("ranklet-*.tar.gz"))
    assert archive.stat().st_size < 100_000_000
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYO3_")}
    environment |= {
        "CARGO_HOME": str(tmp_path / "cargo"),
        "CARGO_NET_OFFLINE": "true",
        "CARGO_TARGET_DIR": str(tmp_path / "target"),
        "TMPDIR": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    packages = tmp_path / "packages"
    install = [sys.executable, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps"]
    subprocess.run([*install, "--target", str(packages), str(archive)], check=True, timeout=3000, env=environment)
    shutil.rmtree(tmp_path / "target", ignore_errors=True)
    program = f"import sys; sys.path.insert(0, {str(packages)!r})\n" + "\n".join(blocks("README.md", "python"))
    run = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=MAX_PROCESS_SECONDS)
    assert run.returncode == 0, run.stderr
    assert "Paris" in run.stdout.splitlines()[0]
