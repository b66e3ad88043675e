"""Where a model came from, so that a pickle of it loads the same model on another machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._hub import find_model
from .._model import Source


@dataclass(frozen=True)
class ModelOrigin:
    """The arguments of CrossEncoder that say which model it is. A token is not among them: it has no place in a pickle."""

    model: Source
    revision: str | None
    cache_folder: str | os.PathLike[str] | None
    local_files_only: bool

    def find(self, weights: str | None, token: bool | str | None = None) -> Source:
        """Returns the folder of the model, which is downloaded if it is not in the cache, or the contents of its files."""
        return find_model(
            self.model,
            revision=self.revision,
            token=token,
            cache_dir=self.cache_folder or os.environ.get("SENTENCE_TRANSFORMERS_HOME"),
            local_files_only=self.local_files_only,
            weights=weights,
        )


def picklable(origin: ModelOrigin, source: Source) -> dict[str, Any]:
    """Returns the attributes of a pickle that say where the model is. Contents of files are in it, as bytes."""
    if isinstance(source, Mapping):
        source = {name: bytes(content) for name, content in source.items()}
        origin = replace(origin, model=source)
    return {"_origin": origin, "_source": source}
