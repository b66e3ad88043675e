"""Loads models and runs the native module's scoring runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ._ranklet import NativeReranker, NativeScoring
from .errors import input_error

Source: TypeAlias = "str | os.PathLike[str] | Mapping[str, bytes] | None"
"""A folder, the id of a model on the Hub, the contents of the files by name, or None for the embedded model."""

DEVICES = ("auto", "cpu", "gpu")
SCORES = ("model", "raw", "sigmoid", "probability")
DTYPES = ("auto", "f32", "f16", "q8", "q4")
LONG_DOCUMENTS = ("truncate", "chunk")


def load(source: Source, options: Mapping[str, Any]) -> NativeReranker:
    """Loads a model from a folder, from the contents of its files, or the embedded one. Options of None are left out."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("threads", "max_length", "max_memory_bytes"):
        if name in given:
            given[name] = positive_int(given[name], name)
    for name, known in (("device", DEVICES), ("dtype", DTYPES)):
        if name in given:
            one_of(given[name], name, known)
    if "score_cache" in given:
        cache = given["score_cache"]
        if not isinstance(cache, Mapping) or set(cache) != {"max_bytes"}:
            raise input_error(f"score_cache must be {{'max_bytes': n}}, not {cache!r}")
        given["score_cache"] = {"max_bytes": positive_int(cache["max_bytes"], "score_cache: max_bytes")}
    if isinstance(source, Mapping):
        source = {name: bytes(content) for name, content in source.items()}
    return NativeReranker.load(source, json.dumps(given))


def collect(scoring: NativeScoring, labels: int, on_progress: Callable[[int], object] | None = None) -> np.ndarray:
    """Runs all micro-batches of a run and returns the scores, [pairs, labels]. Ctrl-C stops it between two of them."""
    scores = bytearray()
    while (part := scoring.step()) is not None:
        if scoring.restarted:
            scores.clear()
        scores += part
        if on_progress is not None:
            on_progress(scoring.done)
    return np.frombuffer(scores, np.float32).reshape(-1, labels)


def positive_int(value: Any, name: str) -> int:
    """Returns an integer of at least 1, also one of numpy's."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value > 0:
        return int(value)
    raise input_error(f"{name} must be an integer of at least 1, not {value!r}")


def one_of(value: Any, name: str, known: tuple[str, ...]) -> str:
    """Returns a value that is one of the known names."""
    if value in known:
        return str(value)
    raise input_error(f"{name} must be one of {', '.join(known)}, not {value!r}")


def text(value: Any, name: str) -> str:
    """Returns a text, made valid."""
    if isinstance(value, str):
        return valid(value)
    raise input_error(f"{name} must be a str, not {type(value).__name__}")


def optional_text(value: Any, name: str) -> str | None:
    """Returns a text, made valid, or None."""
    return None if value is None else text(value, name)


def valid(text: str) -> str:
    """Returns a text with U+FFFD in place of each half of a surrogate pair."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def listed(values: Any, name: str) -> list[Any]:
    """Returns the items of a list or another iterable, but not those of a text or a mapping."""
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping)):
        return list(values)
    raise input_error(f"{name} must be a list, not {type(values).__name__}")


def number(value: Any, name: str) -> float:
    """Returns a number, also one of numpy's."""
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        return float(value)
    raise input_error(f"{name} must be a number, not {value!r}")


def optional_number(value: Any, name: str) -> float | None:
    """Returns a number, also one of numpy's, or None."""
    return None if value is None else number(value, name)
