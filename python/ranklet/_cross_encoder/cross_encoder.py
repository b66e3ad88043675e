"""The class CrossEncoder, in place of that of sentence-transformers."""

from __future__ import annotations

import functools
import json
import logging
import operator
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _model
from .._pairs import is_single_pair, not_unicode, read_pairs
from .._ranklet import NativeScoring
from ..errors import RankletMissingError, input_error, unsupported_error
from . import activation
from .arguments import (
    call_arguments,
    device_of,
    init_arguments,
    keyword_options,
    replacements,
    saved_prompts,
    torch_parts,
    warn_once,
    with_organization,
)
from .config import ModelConfig, ModelStandIn, read_config
from .evaluation import Evaluates, ModelCardData
from .origin import ModelOrigin, picklable
from .progress import ProgressBar

logger = logging.getLogger("ranklet")

_shared: dict[tuple[Any, ...], CrossEncoder] = {}
_shared_lock = threading.Lock()


class Device(str):
    """The name of a device, with the attribute `type` of a torch.device."""

    @property
    def type(self) -> str:
        """The kind of device: "cpu" or "gpu"."""
        return str(self)


class CrossEncoder(Evaluates):
    """Scores pairs of texts with a cross-encoder.

    It takes the arguments of sentence-transformers' CrossEncoder for inference and returns the same scores. Arguments
    that only torch has, such as `trust_remote_code`, `model_card_data` and `keep_in_fp32_modules`, are ignored with one
    warning each.

    Args:
        model_name_or_path: a folder, the id of a model on the Hub, the contents of the model's files by name, or None
            for the model in this package.
        device: "cpu" (the default), "gpu", or "auto" for the faster of both. "cuda" and "mps" mean "gpu".
        dtype: "f32", "q8", "f16" on a GPU, "q4" for a file in q4, or "auto" for the format of the file.
        threads: number of threads; by default that of the processors.
        backend: "torch" or "onnx". Both mean Ranklet's engine; with "onnx", `model_kwargs["file_name"]` names the ONNX
            file to read. "openvino" is ignored with a warning. Anything else is an error with the code `input`.
    """

    @init_arguments
    def __init__(
        self,
        model_name_or_path: _model.Source = None,
        *,
        device: Any = None,
        prompts: Mapping[str, str | None] | None = None,
        default_prompt_name: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
        local_files_only: bool = False,
        token: bool | str | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        processor_kwargs: Mapping[str, Any] | None = None,
        config_kwargs: Mapping[str, Any] | None = None,
        model_card_data: Any = None,
        backend: str = "torch",
        num_labels: int | None = None,
        max_length: int | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        keep_in_fp32_modules: Sequence[str] | None = None,
        dtype: str | None = None,
        threads: int | None = None,
        weights: str | None = None,
        max_memory_bytes: int | None = None,
    ) -> None:
        del trust_remote_code, model_card_data, keep_in_fp32_modules
        options: dict[str, Any] = {
            "device": device_of(device),
            "dtype": dtype,
            "threads": threads,
            "max_length": max_length,
            "max_memory_bytes": max_memory_bytes,
            "weights": weights,
        }
        options, num_labels = keyword_options(options, num_labels, backend, model_kwargs or {}, processor_kwargs or {}, config_kwargs or {})
        self._options = options
        self.model_card_data = ModelCardData()
        self._origin = ModelOrigin(with_organization(model_name_or_path), revision, cache_folder, local_files_only)
        self._source = self._origin.find(options["weights"], token)
        self._native = _model.load(self._source, options)
        if num_labels is not None and num_labels != self.num_labels:
            raise input_error(
                f"num_labels is {num_labels}, and the model has {self.num_labels} labels: a head with another number "
                "of labels would have to be trained first"
            )
        self.activation_fn = activation_fn if activation_fn is not None else self.get_default_activation_fn()
        saved, saved_default = saved_prompts(self._source)
        self.prompts = {**saved, **{k: v for k, v in (prompts or {}).items() if v is not None}}
        for name in prompts or {}:
            self.prompts.setdefault(name, "")
        self.default_prompt_name = default_prompt_name if default_prompt_name is not None else saved_default
        if self.default_prompt_name is not None and self.default_prompt_name not in self.prompts:
            raise input_error(
                f"Default prompt name '{self.default_prompt_name}' not found in the configured prompts dictionary "
                f"with keys {list(self.prompts)!r}."
            )

    @classmethod
    def shared(cls, model_name_or_path: _model.Source = None, **options: Any) -> CrossEncoder:
        """Returns this process's model with these options. The first call loads it, and the process keeps it, so that
        the tasks that a worker runs one after the other have one model."""
        key = (cls, model_name_or_path, *sorted(options.items()))
        try:
            hash(key)
        except TypeError as error:
            raise input_error(f"CrossEncoder.shared compares its options, so they must be hashable: {error}") from error
        with _shared_lock:
            if key not in _shared:
                _shared[key] = cls(model_name_or_path, **options)
            return _shared[key]

    def __repr__(self) -> str:
        info = self.info
        return f"CrossEncoder({info['model_type']}, {info['num_labels']} labels, {info['backend']['dtype']})"

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the native model, so that a pickle is small: it is loaded again from where it came from."""
        state = {name: value for name, value in self.__dict__.items() if name != "_native"}
        return state | picklable(self._origin, self._source)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self._source, (str, os.PathLike)) and not os.path.isdir(self._source):
            # The pickle comes from another machine.
            self._source = self._origin.find(self._options["weights"])
        self._native = _model.load(self._source, self._options)

    @property
    def info(self) -> dict[str, Any]:
        """The model and the engine that computes."""
        info: dict[str, Any] = json.loads(self._native.info())
        return info

    @functools.cached_property
    def num_labels(self) -> int:
        """Number of scores per pair."""
        return int(self.info["num_labels"])

    @property
    def max_seq_length(self) -> int:
        """Maximum number of tokens of a pair. Setting it loads the model again."""
        return int(self.info["max_length"])

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        options = {**self._options, "max_length": _model.positive_int(value, "max_seq_length")}
        self._native = _model.load(self._source, options)
        self._options = options

    max_length = max_seq_length

    @property
    def default_activation_function(self) -> Callable[[Any], Any]:
        """The old name of activation_fn."""
        return self.activation_fn

    @property
    def device(self) -> Device:
        """The device that computes."""
        return Device(self.info["backend"]["device"])

    @property
    def dtype(self) -> str:
        """The format of the weights in memory: "f32", "f16" or "q8"."""
        return str(self.info["backend"]["dtype"])

    @functools.cached_property
    def config(self) -> ModelConfig:
        """The fields of the model's config.json, with `num_labels`, `id2label` and `label2id` as in transformers."""
        model = self._origin.model
        name = os.fspath(model) if isinstance(model, (str, os.PathLike)) else ""
        return read_config(self._source, self.info, name)

    @property
    def model(self) -> ModelStandIn:
        """The configuration, the device and the dtype, as the attributes of a model of transformers."""
        return ModelStandIn(self.config, self.device, self.dtype, torch_parts)

    transformers_model = model

    @property
    def modalities(self) -> list[str]:
        """The kinds of inputs."""
        return ["text"]

    def supports(self, modality: Any) -> bool:
        """Returns whether the model takes this kind of inputs."""
        return bool(modality == "text")

    def get_backend(self) -> str:
        """Returns the name of the engine."""
        return "ranklet"

    def get_max_seq_length(self) -> int:
        """Returns the maximum number of tokens of a pair."""
        return self.max_seq_length

    def get_default_activation_fn(self) -> Any:
        """Returns the activation that the model's files name."""
        return activation.of_model(self.info["activation"])

    def is_singular_input(self, inputs: Any) -> bool:
        """Returns whether an input is one pair and not a list of pairs."""
        return is_single_pair(inputs)

    def eval(self) -> CrossEncoder:
        """Returns the model itself, which can only infer."""
        return self

    def to(self, device: Any = None, *args: Any, **kwargs: Any) -> CrossEncoder:
        """Returns the model itself. Raises for another device than its own."""
        if args or kwargs or device_of(device) != self.device:
            raise unsupported_error(f"the model stays on the device {self.device}: pass device= to CrossEncoder")
        return self

    def cpu(self) -> CrossEncoder:
        """As to("cpu")."""
        return self.to("cpu")

    @call_arguments
    def predict(
        self,
        inputs: Any,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        pool: Any = None,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Scores pairs.

        Args:
            inputs: a list of pairs, each a list or tuple of two texts; or one pair.
            prompt: text before every query.
            prompt_name: the name of a text in `prompts`.
            batch_size: accepted, and without effect: pairs are not padded.
            chunk_size: for pools of processes, which Ranklet does not have: ignored with a warning.
            activation_fn: a function from logits to scores, such as torch.nn.Sigmoid() or a function on arrays.

        Returns:
            an array in f32, [pairs], or [pairs, labels] for several labels; a scalar, or [labels], for one pair.
            Tensors with `convert_to_tensor` or without `convert_to_numpy`, which need torch.
        """
        if operator.index(batch_size) <= 0:
            raise input_error(f"batch_size must be a positive integer, got {batch_size}.")
        if kwargs:
            warn_once(f"CrossEncoder.predict: ignored, because only torch's models take them: {', '.join(kwargs)}")
        self._check_call(device, pool, chunk_size)
        queries, documents, is_single = read_pairs(inputs)

        def scoring_of(kind: str, prompt: str | None) -> NativeScoring:
            try:
                return self._native.scoring_pairs(queries, documents, kind, prompt)
            except UnicodeEncodeError:
                raise not_unicode(queries, documents, prompt) from None

        scores = self._scores(scoring_of, len(queries), self._resolve_prompt(prompt, prompt_name), show_progress_bar, activation_fn)
        if apply_softmax and scores.ndim > 1:
            exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores = exponentials / exponentials.sum(axis=1, keepdims=True)
        result = activation.converted(scores, convert_to_numpy, convert_to_tensor)
        return result[0] if is_single else result

    @call_arguments
    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        device: Any = None,
        pool: Any = None,
        chunk_size: int | None = None,
    ) -> list[dict[str, Any]]:
        """Ranks documents for a query, best first. Equal scores keep the order of the documents.

        The arguments after `return_documents` are those of `predict`.

        Returns:
            dictionaries with "corpus_id", the document's index, and "score"; with `return_documents` also "text".
        """
        if self.num_labels != 1:
            raise input_error(
                "CrossEncoder.rank() only works for models with num_labels=1. "
                "Consider using CrossEncoder.predict() with input pairs instead."
            )
        scores = self.predict(
            [[query, document] for document in documents],
            prompt_name=prompt_name,
            prompt=prompt,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            activation_fn=activation_fn,
            device=device,
            pool=pool,
            chunk_size=chunk_size,
        ).tolist()
        results: list[dict[str, Any]] = [{"corpus_id": index, "score": score} for index, score in enumerate(scores)]
        if return_documents:
            for result in results:
                result["text"] = documents[result["corpus_id"]]
        return sorted(results, key=lambda result: result["score"], reverse=True)[:top_k]

    def _check_call(self, device: Any, pool: Any, chunk_size: int | None) -> None:
        if pool is not None or isinstance(device, list):
            raise unsupported_error("pools of processes are not needed: CrossEncoder(threads=...) uses all cores")
        if device is not None and device_of(device) not in (self.device, "auto"):
            raise unsupported_error(f"the model is on the device {self.device}: pass device= to CrossEncoder")
        if chunk_size is not None:
            warn_once("CrossEncoder: chunk_size is ignored: it is for pools of processes")

    def _resolve_prompt(self, prompt: str | None, prompt_name: str | None) -> str | None:
        if prompt is not None:
            if prompt_name is not None:
                logger.warning("prompt_name is ignored, because prompt is given too")
            if not isinstance(prompt, str):
                raise input_error(f"prompt must be a str, not {type(prompt).__name__}")
            return prompt
        if prompt_name is None:
            return None if self.default_prompt_name is None else self.prompts[self.default_prompt_name]
        if prompt_name not in self.prompts:
            raise input_error(
                f"Prompt name '{prompt_name}' not found in the configured prompts dictionary with keys {list(self.prompts)!r}."
            )
        return self.prompts[prompt_name]

    def _scores(
        self,
        scoring_of: Callable[[str, str | None], NativeScoring],
        total: int,
        prompt: str | None,
        show_progress_bar: bool | None,
        activation_fn: Callable[[Any], Any] | None,
    ) -> np.ndarray:
        """Returns the scores, [pairs], or [pairs, labels] for several labels."""
        if total == 0:
            return np.array([])
        function = self.activation_fn if activation_fn is None else activation_fn
        kind = activation.scores_of(function)
        with ProgressBar(total, show_progress_bar) as on_progress:
            scores = _model.collect(scoring_of(kind or "raw", prompt), self.num_labels, on_progress)
        if kind is None:
            scores = activation.apply(function, scores)
        return scores.squeeze(-1) if self.num_labels == 1 and scores.ndim > 1 else scores

    if not TYPE_CHECKING:
        # Type checkers would take any name for a member.
        def __getattr__(self, name: str) -> Any:
            if name in replacements:
                raise RankletMissingError("unsupported", f"CrossEncoder.{name}: {replacements[name]}")
            raise AttributeError(f"'CrossEncoder' object has no attribute {name!r}")
