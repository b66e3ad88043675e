"""The progress bar of CrossEncoder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("ranklet")


class ProgressBar:
    """A progress bar of tqdm, if it is wanted and installed. By default it is wanted if INFO is logged."""

    def __init__(self, total: int, show: bool | None) -> None:
        if show is None:
            show = logger.getEffectiveLevel() in (logging.INFO, logging.DEBUG)
        self.bar: Any = None
        if show:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            self.bar = tqdm(total=total, desc="Pairs")

    def __enter__(self) -> Callable[[int], object] | None:
        return None if self.bar is None else lambda done: self.bar.update(done - self.bar.n)

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()
