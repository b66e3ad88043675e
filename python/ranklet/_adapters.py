"""What the adapters for frameworks have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._cross_encoder import CrossEncoder
from .errors import input_error


def cross_encoder(model: Any, options: Mapping[str, Any]) -> CrossEncoder:
    """Returns a loaded model as it is, and loads any other one with these options of CrossEncoder.

    Raises `input` if there are options for a model that is loaded already.
    """
    if not isinstance(model, CrossEncoder):
        return CrossEncoder(model, **options)
    given = [name for name, value in options.items() if value is not None and value is not False]
    if given:
        raise input_error(f"{', '.join(given)}: options for loading, and the model is loaded; pass them to CrossEncoder")
    return model
