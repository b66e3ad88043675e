"""The exceptions of Ranklet."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ErrorItem", "RankletError"]


class ErrorItem(NamedTuple):
    """The documents or pairs of a call that an error is about: indices from `start` up to, not including, `end`."""

    kind: str
    start: int
    end: int


class RankletError(Exception):
    """The base class of all errors of Ranklet.

    `code` is its category: "config", "weights", "tokenizer", "input", "unsupported", "network", "integrity",
    "device-lost", "out-of-memory", "aborted", "disposed" or "internal". `item` is the documents or pairs of the call
    that caused it, if they are known; the message names them too.

    Errors of some codes are also exceptions of Python: "input" is a ValueError, "unsupported" a NotImplementedError,
    "network" an OSError and "out-of-memory" a MemoryError.
    """

    code: str
    item: ErrorItem | None

    def __init__(self, code: str, message: str, item: ErrorItem | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.item = item

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.code, str(self), self.item)


class RankletInputError(RankletError, ValueError):
    """An argument or option is wrong; the message names it."""


class RankletUnsupportedError(RankletError, NotImplementedError):
    """The request is valid, but not available here; the message says what to use instead."""


class RankletMissingError(RankletUnsupportedError, AttributeError):
    """sentence-transformers has the member and Ranklet does not, so `hasattr` is false."""


class RankletNetworkError(RankletError, OSError):
    """A file could not be downloaded."""


class RankletMemoryError(RankletError, MemoryError):
    """There is not enough memory for the model or the call."""


_classes: dict[str, type[RankletError]] = {
    "input": RankletInputError,
    "unsupported": RankletUnsupportedError,
    "network": RankletNetworkError,
    "out-of-memory": RankletMemoryError,
}


def make_error(code: str, message: str, item: ErrorItem | None = None) -> RankletError:
    """Makes an error of the class for its code."""
    return _classes.get(code, RankletError)(code, message, item)


def from_native(code: str, message: str, item: tuple[str, int, int] | None) -> RankletError:
    """Makes the exception for an error of the native module, and writes the item before the message."""
    if item is None:
        return make_error(code, message)
    named = ErrorItem(*item)
    return make_error(code, f"{_name(named)}: {message}", named)


def moved(error: RankletError, by: int) -> RankletError:
    """Returns an error about an item of a part of the caller's items, which begins at this index, with the caller's index."""
    if error.item is None:
        return error
    kind, start, end = error.item
    return from_native(error.code, str(error).removeprefix(f"{_name(error.item)}: "), (kind, start + by, end + by))


def _name(item: ErrorItem) -> str:
    kind, start, end = item
    return f"{kind}s {start} to {end - 1}" if end - start > 1 else f"{kind} {start}"


def input_error(message: str) -> RankletError:
    """Makes an error about an argument."""
    return make_error("input", message)


def unsupported_error(message: str) -> RankletError:
    """Makes an error about a request that is not available here."""
    return make_error("unsupported", message)
