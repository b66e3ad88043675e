"""Writes the Python package ranklet-small, which holds the files of the small model.

    python scripts/small_model_wheel.py FOLDER

The wheel ranklet has no place for a second model. The file is the same in every run.
"""

import base64
import hashlib
import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "small"
VERSION = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
INFO = f"ranklet_small-{VERSION}.dist-info"

METADATA = f"""Metadata-Version: 2.4
Name: ranklet-small
Version: {VERSION}
Summary: The small model of ranklet, a cross-encoder reranker.
License-Expression: Apache-2.0
Requires-Python: >=3.10
Description-Content-Type: text/markdown

The files of the model `ranklet/small`. Install it with `pip install "ranklet[small]"`, and load it with
`ranklet.Reranker.load("ranklet/small")`.
"""

WHEEL = "Wheel-Version: 1.0\nGenerator: ranklet\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def contents():
    """Yields the names and bytes of all files but the record."""
    yield "ranklet_small/__init__.py", b'"""The files of the small model of ranklet."""\n'
    for path in sorted(MODEL.iterdir()):
        if path.suffix in (".json", ".safetensors"):
            yield f"ranklet_small/{path.name}", path.read_bytes()
    yield f"{INFO}/METADATA", METADATA.encode()
    yield f"{INFO}/WHEEL", WHEEL.encode()
    yield f"{INFO}/licenses/LICENSE-APACHE", (ROOT / "LICENSE-APACHE").read_bytes()


def main():
    """Writes the wheel and prints its path."""
    path = Path(sys.argv[1]) / f"ranklet_small-{VERSION}-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = []
    with zipfile.ZipFile(path, "w") as wheel:

        def write(name, content):
            file = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            file.external_attr = 0o644 << 16
            wheel.writestr(file, content, zipfile.ZIP_DEFLATED, 9)

        for name, content in contents():
            write(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")
        write(f"{INFO}/RECORD", "".join([*record, f"{INFO}/RECORD,,\n"]))
    print(path)


if __name__ == "__main__":
    main()
