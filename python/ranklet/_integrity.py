"""Checks the files of a model against their hashes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping

from ._model import Source
from .errors import input_error, make_error


def check_integrity(source: Source, integrity: Mapping[str, str]) -> None:
    """Raises an error with the code "integrity" if a file is not there or has another SHA-256.

    A hash is "sha256-" and base64, or 64 hexadecimal digits.
    """
    for name, text in integrity.items():
        if _sha256(source, name) != _digest(name, text):
            raise make_error("integrity", f"{name} has another SHA-256 than {text}")


def _sha256(source: Source, name: str) -> bytes:
    """Returns the SHA-256 of a file of a model."""
    if isinstance(source, Mapping):
        if name in source:
            return hashlib.sha256(source[name]).digest()
    elif source is not None and os.path.isfile(path := os.path.join(source, name)):
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
        return digest.digest()
    raise make_error("integrity", f"there is a hash for {name}, and the model has no such file")


def _digest(name: str, text: str) -> bytes:
    """Returns the bytes of the hash that the caller gives for a file."""
    try:
        digest = base64.b64decode(text[7:], validate=True) if text.startswith("sha256-") else bytes.fromhex(text)
    except (ValueError, binascii.Error):
        digest = b""
    if len(digest) != 32:
        raise input_error(f'integrity: {name} must have "sha256-" and base64, or 64 hexadecimal digits, not {text!r}')
    return digest
