"""Describes the outcome of a call as JSON: the value with its types and shapes, or the error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

# An error of a kind of Python counts as that kind, whatever its own class is.
KINDS = (ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, OSError)


def outcome_of(call: Callable[[], Any]) -> dict[str, Any]:
    """Calls a function and describes what it returns or raises."""
    try:
        return {"value": description(call())}
    except Exception as error:
        kind = next((kind.__name__ for kind in KINDS if isinstance(error, kind)), type(error).__name__)
        return {"error": kind, "message": str(error)}


def description(value: Any) -> Any:
    """Describes a value: numbers and texts as they are, arrays and tensors with their type and shape."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.ndarray):
        return {"array": value.dtype.name, "shape": list(value.shape), "values": value.ravel().tolist()}
    if isinstance(value, np.generic):
        return {"scalar": value.dtype.name, "values": [value.item()]}
    if type(value).__module__ == "torch" and hasattr(value, "detach"):
        name = str(value.dtype).removeprefix("torch.")
        return {"tensor": name, "shape": list(value.shape), "values": value.flatten().tolist()}
    if isinstance(value, (int, float)):
        return {"number": type(value).__name__, "values": [value]}
    if isinstance(value, (list, tuple)):
        return {"sequence": type(value).__name__, "items": [description(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": {str(key): description(item) for key, item in value.items()}}
    return {"object": type(value).__name__}


def differences(expected: Any, actual: Any, tolerance: float, path: str = "") -> list[str]:
    """Lists where two descriptions differ. Numbers in `values` may differ by the tolerance."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() != actual.keys():
            return [f"{path}: {sorted(expected)} and {sorted(actual)}"]
        return [difference for key in expected for difference in differences(expected[key], actual[key], tolerance, f"{path}.{key}")]
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{path}: {len(expected)} and {len(actual)} items"]
        pairs = enumerate(zip(expected, actual))
        return [item for at, (a, b) in pairs for item in differences(a, b, tolerance, f"{path}[{at}]")]
    if isinstance(expected, float) and isinstance(actual, float):
        is_close = math.isclose(expected, actual, rel_tol=tolerance, abs_tol=tolerance)
        return [] if is_close else [f"{path}: {expected} and {actual}"]
    return [] if expected == actual else [f"{path}: {expected!r} and {actual!r}"]
