"""Finds the files of a model: a folder, or a model on the Hub."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ._model import Source
from .errors import input_error, unsupported_error


def find_model(
    model: Source,
    *,
    revision: str | None,
    token: bool | str | None,
    cache_folder: str | os.PathLike[str] | None,
    local_files_only: bool,
    weights: str | None,
) -> Source:
    """Returns the folder of a model, after downloading it if it is the id of one on the Hub."""
    if model is None or isinstance(model, Mapping) or os.path.isdir(model):
        return model
    raise unsupported_error("models are loaded from folders: download it first")
