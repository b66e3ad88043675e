"""What the evaluators of sentence-transformers use of a model besides `predict`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


class ModelCardData:
    """Takes the place of the model card, to which evaluators add their metrics."""

    def __init__(self) -> None:
        self.metrics: dict[str, Any] = {}

    def set_evaluation_metrics(self, evaluator: Any, metrics: dict[str, Any], epoch: int = 0, step: int = 0) -> None:
        """Keeps the metrics of an evaluator."""
        del evaluator, epoch, step
        self.metrics.update(metrics)


class Evaluates:
    """Runs evaluators."""

    def evaluate(self, evaluator: Callable[[Any, Any], Any], output_path: str | os.PathLike[str] | None = None) -> Any:
        """Returns the metrics of an evaluator of sentence-transformers, which may write files to the folder."""
        if output_path is not None:
            os.makedirs(output_path, exist_ok=True)
        return evaluator(self, output_path)
