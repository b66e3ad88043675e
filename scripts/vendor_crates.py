"""Adds the crates of Cargo.lock to a source distribution of the Python package, so that it builds without a network.

    python vendor_crates.py ranklet-0.1.0.tar.gz

`cargo vendor` copies the crates of all platforms and of the tests. Those that the package is not built from on the
platforms below are reduced to their manifest, which is all that cargo reads of them. The distribution is written again
in place.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PLATFORMS = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
)
PACKAGE = "ranklet-python"
CONFIG = '[source.crates-io]\nreplace-with = "vendor"\n\n[source.vendor]\ndirectory = "vendor"\n'


def crates_of(platform: str, root: Path) -> set[str]:
    """Returns the crates that the package is built from on a platform, as NAME-VERSION."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", platform]
    output = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    metadata = json.loads(output)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, waiting = set(), [id for id, package in packages.items() if package["name"] == PACKAGE]
    while waiting:
        if (id := waiting.pop()) not in found:
            found.add(id)
            edges = nodes[id]["deps"]
            waiting += [edge["pkg"] for edge in edges if any(kind["kind"] != "dev" for kind in edge["dep_kinds"])]
    return {f"{packages[id]['name']}-{packages[id]['version']}" for id in found}


def reduce(crate: Path) -> None:
    """Removes everything but the manifest from a vendored crate."""
    checksum = json.loads((crate / ".cargo-checksum.json").read_text(encoding="utf-8"))
    manifest = (crate / "Cargo.toml").read_bytes()
    shutil.rmtree(crate)
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_bytes(manifest)
    (crate / "src" / "lib.rs").touch()
    (crate / ".cargo-checksum.json").write_text(json.dumps({**checksum, "files": {}}), encoding="utf-8")


def owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leaves out who has built the archive, and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def main(archive: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as source:
            source.extractall(folder, filter="data")
        root = next(Path(folder).iterdir())
        needed = set().union(*(crates_of(platform, root) for platform in PLATFORMS))
        vendor = ["cargo", "vendor", "--quiet", "--locked", "--versioned-dirs", "vendor"]
        subprocess.run(vendor, cwd=root, check=True, stdout=subprocess.DEVNULL)
        reduced = [crate for crate in (root / "vendor").iterdir() if crate.name not in needed]
        for crate in reduced:
            reduce(crate)
        (root / ".cargo").mkdir()
        (root / ".cargo" / "config.toml").write_text(CONFIG, encoding="utf-8")
        with tarfile.open(archive, "w:gz") as target:
            target.add(root, root.name, filter=owner)
    print(f"{len(needed) - 2} crates, and the manifests of {len(reduced)} others")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
