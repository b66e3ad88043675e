"""Reads the options about a first stage and about time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _model
from ..errors import input_error

FirstStage = tuple["list[float | None]", str, "float | None", "float | None"]


def read_fuse(fuse: Mapping[str, Any] | None) -> FirstStage | None:
    """Reads the option `fuse`."""
    if fuse is None:
        return None
    if not isinstance(fuse, Mapping):
        raise input_error(f"fuse must be a mapping with first_stage and method, not {fuse!r}")
    unknown = sorted(set(fuse) - {"first_stage", "method", "k", "weight"})
    if unknown or not {"first_stage", "method"} <= set(fuse):
        raise input_error("fuse has first_stage and method, and may have k or weight" + "".join(f"; not {name}" for name in unknown))
    scores = _model.listed(fuse["first_stage"], "fuse: first_stage")
    first_stage = [None if score is None else _model.number(score, "fuse: first_stage") for score in scores]
    k, weight = (_model.optional_number(fuse.get(name), f"fuse: {name}") for name in ("k", "weight"))
    return first_stage, _model.text(fuse["method"], "fuse: method"), k, weight


def read_deadline(deadline_ms: float | None) -> float | None:
    """Reads the option `deadline_ms`; returns seconds."""
    if deadline_ms is None:
        return None
    if not (milliseconds := _model.number(deadline_ms, "deadline_ms")) > 0:
        raise input_error(f"deadline_ms must be a number above 0, not {deadline_ms!r}")
    return milliseconds / 1000
