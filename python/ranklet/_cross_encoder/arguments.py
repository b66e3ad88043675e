"""Old names of the arguments of CrossEncoder, keyword arguments of transformers, and members without a counterpart."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..errors import input_error
from .config import read_json

logger = logging.getLogger("ranklet")
Function = TypeVar("Function", bound=Callable[..., Any])

_old_init_names = {
    "model_name": "model_name_or_path",
    "automodel_args": "model_kwargs",
    "tokenizer_args": "processor_kwargs",
    "tokenizer_kwargs": "processor_kwargs",
    "config_args": "config_kwargs",
    "cache_dir": "cache_folder",
    "default_activation_function": "activation_fn",
}
_old_positions = ("num_labels", "max_length", "activation_fn", "device")
_old_call_names = {"sentences": "inputs", "activation_fct": "activation_fn"}
# Arguments that only torch has, and why they have no effect here.
_without_effect = {
    "trust_remote_code": "Ranklet runs no code of a model",
    "model_card_data": "Ranklet saves no models",
    "keep_in_fp32_modules": "dtype is the format of all weights",
}
# Keyword arguments of transformers that an option of CrossEncoder takes the place of.
_options_instead = {
    ("model_kwargs", "dtype"): "dtype",
    ("model_kwargs", "torch_dtype"): "dtype",
    ("model_kwargs", "device_map"): "device",
    ("processor_kwargs", "max_length"): "max_length",
}
_backends = ("torch", "onnx", "openvino")
_warned: set[str] = set()

_training = "Ranklet scores and does not train: train with sentence-transformers, save, and load the folder here"
_saving = "the model is unchanged: copy the folder it was loaded from"
_pools = "pools of processes are not needed: CrossEncoder(threads=...) uses all cores"
torch_parts = "the model is not made of torch's modules; use sentence-transformers for these"

# Members of sentence-transformers' class that have no counterpart, and what to use instead.
replacements = {
    **dict.fromkeys(("fit", "old_fit", "train", "smart_batching_collate", "gradient_checkpointing_enable"), _training),
    **dict.fromkeys(("save", "save_pretrained", "save_to_hub", "push_to_hub", "merge"), _saving),
    **dict.fromkeys(("start_multi_process_pool", "stop_multi_process_pool"), _pools),
    **dict.fromkeys(("tokenizer", "processor", "preprocess", "tokenize", "forward", "modules"), torch_parts),
    **dict.fromkeys(("parameters", "state_dict"), torch_parts),
    **dict.fromkeys(("half", "bfloat16", "float", "compile"), "pass dtype= to CrossEncoder"),
    "cuda": 'pass device="gpu" to CrossEncoder',
    "set_keep_in_fp32_modules": 'pass dtype="f32" to CrossEncoder',
}


def warn_once(message: str) -> None:
    """Logs a warning the first time it is given."""
    if message not in _warned:
        _warned.add(message)
        logger.warning(message)


def init_arguments(function: Function) -> Function:
    """Accepts old names and positions of arguments of CrossEncoder, and those without an effect, with a warning."""

    @functools.wraps(function)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name, value in zip(_old_positions, args[1:]):
            warn_once(f"CrossEncoder: pass {name} by its name")
            kwargs.setdefault(name, value)
        _rename(kwargs, _old_init_names, "CrossEncoder")
        for name, reason in _without_effect.items():
            if kwargs.get(name):
                warn_once(f"CrossEncoder: {name} is ignored: {reason}")
        if "classifier_dropout" in kwargs:
            kwargs.pop("classifier_dropout")
            warn_once("CrossEncoder: classifier_dropout is for training and is ignored")
        if "modules" in kwargs and kwargs.pop("modules") is not None:
            raise input_error("CrossEncoder: modules are torch's: save the model, and pass its folder")
        return function(self, *args[:1], **kwargs)

    return wrapper  # type: ignore[return-value]


def call_arguments(function: Function) -> Function:
    """Accepts the old names of arguments, and those without an effect, with a warning."""
    without_effect = ["num_workers"]
    if function.__name__ == "rank":
        without_effect += ["apply_softmax", "convert_to_numpy", "convert_to_tensor"]

    @functools.wraps(function)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        _rename(kwargs, _old_call_names, function.__name__)
        for name in without_effect:
            if name in kwargs:
                kwargs.pop(name)
                warn_once(f"CrossEncoder.{function.__name__}: {name} has no effect")
        return function(self, *args, **kwargs)

    return wrapper  # type: ignore[return-value]


def _rename(kwargs: dict[str, Any], names: Mapping[str, str], where: str) -> None:
    for old, new in names.items():
        if old in kwargs:
            warn_once(f"{where}: {old} is called {new} now")
            kwargs.setdefault(new, kwargs[old])
            kwargs.pop(old)


def device_of(device: Any) -> str:
    """Returns the device for a name of ours or of torch; the CPU for None."""
    name, _, index = ("cpu" if device is None else str(device)).partition(":")
    name = {"cuda": "gpu", "mps": "gpu", "xpu": "gpu", "webgpu": "gpu"}.get(name, name)
    if name not in ("auto", "cpu", "gpu"):
        raise input_error(f'device must be "cpu", "gpu" or "auto", not {device!r}')
    if index not in ("", "0"):
        warn_once(f'CrossEncoder: the number in device="{device}" is ignored: the system chooses the {name.upper()}')
    return name


def with_organization(model: Any) -> Any:
    """Returns the id of a model, of the organization cross-encoder if it names none; anything else as it is."""
    if isinstance(model, str) and "/" not in model and "\\" not in model and not os.path.exists(model):
        return f"cross-encoder/{model}"
    return model


def keyword_options(
    options: dict[str, Any],
    num_labels: int | None,
    backend: str,
    model_kwargs: Mapping[str, Any],
    processor_kwargs: Mapping[str, Any],
    config_kwargs: Mapping[str, Any],
) -> tuple[dict[str, Any], int | None]:
    """Adds the options that the backend and the keyword arguments of transformers set, and warns about the others.

    Returns the options of the engine, and the number of labels that the caller expects. Raises `input` for a backend
    that sentence-transformers does not have.
    """
    if backend not in _backends:
        raise input_error(f"backend must be one of {', '.join(_backends)}, not {backend!r}")
    if backend == "openvino":
        warn_once('CrossEncoder: backend="openvino" is ignored: Ranklet computes with its own engine')
    options = dict(options)
    ignored = []
    for name, value in model_kwargs.items():
        if name in ("dtype", "torch_dtype") and str(value).removeprefix("torch.") in ("float32", "auto"):
            if str(value).endswith("float32") and options["dtype"] is None:
                options["dtype"] = "f32"
        elif name == "file_name" and backend == "onnx":
            options["weights"] = options["weights"] or value
        else:
            ignored.append(("model_kwargs", name))
    for name, value in processor_kwargs.items():
        if name == "model_max_length":
            options["max_length"] = options["max_length"] or value
        elif name != "use_fast":
            ignored.append(("processor_kwargs", name))
    for name, value in config_kwargs.items():
        if name == "num_labels":
            num_labels = num_labels if num_labels is not None else value
        else:
            ignored.append(("config_kwargs", name))
    for group, name in ignored:
        if option := _options_instead.get((group, name)):
            warn_once(f"CrossEncoder: {group}[{name!r}] is ignored: pass {option}= to CrossEncoder")
    others = [f"{group}[{name!r}]" for group, name in ignored if (group, name) not in _options_instead]
    if others:
        warn_once(f"CrossEncoder: ignored, because only torch and transformers have them: {', '.join(others)}")
    return options, num_labels


def saved_prompts(source: Any) -> tuple[dict[str, str], str | None]:
    """Returns the prompts that sentence-transformers saved with a model, and the name of the default one."""
    saved = read_json(source, "config_sentence_transformers.json")
    if saved.get("model_type") != "CrossEncoder" or not read_json(source, "modules.json"):
        return {}, None
    prompts = {name: text or "" for name, text in (saved.get("prompts") or {}).items()}
    return prompts, saved.get("default_prompt_name")
