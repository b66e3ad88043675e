"""Functions from logits to scores, and the types of scores."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import unsupported_error


class Activation:
    """A function from logits to scores that the engine applies."""

    def __init__(self, name: str, scores: str) -> None:
        self.name = name
        self.scores = scores

    def __repr__(self) -> str:
        return f"{self.name}()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Activation) and (self.name, self.scores) == (other.name, other.scores)

    def __hash__(self) -> int:
        return hash((self.name, self.scores))


class Identity(Activation):
    """The logits themselves, as torch.nn.Identity."""

    def __init__(self) -> None:
        super().__init__("Identity", "raw")

    def __call__(self, logits: Any) -> np.ndarray:
        return np.asarray(logits)


class Sigmoid(Activation):
    """The sigmoid of the logits, as torch.nn.Sigmoid."""

    def __init__(self) -> None:
        super().__init__("Sigmoid", "sigmoid")

    def __call__(self, logits: Any) -> np.ndarray:
        sigmoids: np.ndarray = np.exp(-np.logaddexp(0, -np.asarray(logits)))
        return sigmoids


def of_model(name: str) -> Activation:
    """Returns the activation of a model by its name in the model's info."""
    known: dict[str, Callable[[], Activation]] = {"identity": Identity, "sigmoid": Sigmoid}
    if name in known:
        return known[name]()
    return Activation("".join(part.capitalize() for part in name.split("_")), "model")


def scores_of(function: Any) -> str | None:
    """Returns the kind of scores with which the engine applies a function; None if the function must be called."""
    if isinstance(function, Activation):
        return function.scores
    if type(function).__name__ in ("Identity", "Sigmoid") and type(function).__module__.startswith("torch."):
        return {"Identity": "raw", "Sigmoid": "sigmoid"}[type(function).__name__]
    return None


def apply(function: Callable[[Any], Any], logits: np.ndarray) -> np.ndarray:
    """Calls a function on logits: on a tensor as sentence-transformers if torch is loaded, else or if that fails on the array."""
    torch = sys.modules.get("torch")
    if torch is not None:
        try:
            with torch.inference_mode():
                return to_numpy(function(torch.tensor(logits)))
        except (AttributeError, TypeError):
            # A function of numpy, which has not changed the logits: the tensor is a copy.
            pass
    return to_numpy(function(logits))


def to_numpy(values: Any) -> np.ndarray:
    """Returns an array in f32, also of a tensor."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().float().numpy()
    return np.asarray(values, dtype=np.float32)


def converted(scores: np.ndarray, to_numpy: bool, to_tensor: bool) -> Any:
    """Converts scores to what the caller wants: an array, a tensor, or a list of tensors."""
    if to_numpy and not to_tensor:
        return scores
    try:
        import torch
    except ImportError:
        raise unsupported_error("tensors need torch, which is not installed: leave convert_to_numpy at True") from None
    tensor = torch.from_numpy(np.asarray(scores, np.float32))
    return tensor if to_tensor else list(tensor)
