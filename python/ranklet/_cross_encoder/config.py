"""The configuration of a model, which callers of sentence-transformers' CrossEncoder read."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import _ranklet
from .._model import Source
from ..errors import RankletMissingError


class ModelConfig(SimpleNamespace):
    """The fields of a model's config.json, and the names that transformers' configurations have for all models."""

    num_labels: int
    id2label: dict[int, str]
    label2id: dict[str, int]
    model_type: str
    architectures: list[str]
    hidden_size: int
    num_hidden_layers: int
    problem_type: str | None
    name_or_path: str

    def to_dict(self) -> dict[str, Any]:
        """Returns a copy of all fields."""
        return copy.deepcopy(self.__dict__)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def read_config(source: Source, info: Mapping[str, Any], name: str) -> ModelConfig:
    """Returns the configuration of a loaded model. `name` is the name that it was loaded by."""
    fields = read_json(source, "config.json")
    labels = info["num_labels"]
    id2label = {int(index): label for index, label in (fields.get("id2label") or {}).items()}
    label2id = fields.get("label2id")
    if sorted(id2label) != list(range(labels)):
        # The file says nothing of the labels, or the modules after the encoder have other ones.
        id2label, label2id = {index: f"LABEL_{index}" for index in range(labels)}, None
    known = {
        "num_labels": labels,
        "id2label": id2label,
        "label2id": label2id or {label: index for index, label in id2label.items()},
        "model_type": info["model_type"],
        "architectures": fields.get("architectures") or [info["architecture"]],
        "hidden_size": info["hidden_size"],
        "num_hidden_layers": info["layers"],
        "problem_type": fields.get("problem_type"),
        "name_or_path": name,
        "_name_or_path": name,
    }
    return ModelConfig(**{**fields, **known})


def read_json(source: Source, name: str) -> Any:
    """Returns the content of a small file of a model; an empty dictionary if there is none."""
    if source is None:
        content = _ranklet.embedded_file(name)
    elif isinstance(source, Mapping):
        content = source.get(name)
    elif os.path.isfile(path := os.path.join(source, name)):
        with open(path, "rb") as file:
            content = file.read()
    else:
        content = None
    return {} if content is None else json.loads(bytes(content))


class ModelStandIn:
    """Takes the place of the model of transformers, of which callers read the configuration."""

    def __init__(self, config: ModelConfig, device: str, dtype: str, why_missing: str) -> None:
        self.config = config
        self.device = device
        self.dtype = dtype
        self.name_or_path = config.name_or_path
        self._why_missing = why_missing

    def eval(self) -> ModelStandIn:
        """Returns the model itself, which can only infer."""
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            raise RankletMissingError("unsupported", f"CrossEncoder.model.{name}: {self._why_missing}")
