"""Reads the inputs of CrossEncoder.predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import input_error


def read_pairs(inputs: Any) -> tuple[list[str], list[str], bool]:
    """Returns the queries, the documents, and whether the input was a single pair instead of a list of pairs."""
    is_single = is_single_pair(inputs)
    if isinstance(inputs, np.ndarray):
        inputs = inputs.tolist()
    pairs = [inputs] if is_single else list(inputs)
    queries, documents = [], []
    for index, pair in enumerate(pairs):
        if isinstance(pair, np.ndarray):
            pair = pair.tolist()
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise input_error(f"pair {index} must be a query and a document, not {shown(pair)}")
        query, document = pair
        for name, text in (("query", query), ("document", document)):
            if not isinstance(text, str):
                raise input_error(f"pair {index}: the {name} must be a str, not {shown(text)}")
        queries.append(query)
        documents.append(document)
    return queries, documents, is_single


def is_single_pair(inputs: Any) -> bool:
    """Returns whether an input is a pair, with the rules of sentence-transformers. Other iterables are lists of pairs."""
    if isinstance(inputs, np.ndarray):
        return inputs.dtype.kind not in "UO" or (inputs.size > 0 and inputs.ndim < 2 and isinstance(inputs[0], str))
    if isinstance(inputs, (list, tuple)) or _is_column(inputs):
        return len(inputs) > 0 and not (isinstance(inputs[0], (list, tuple, np.ndarray)) or _is_column(inputs[0]))
    return not hasattr(inputs, "__iter__") or isinstance(inputs, (str, dict))


def _is_column(value: Any) -> bool:
    """Returns whether a value is a column of the library datasets."""
    return type(value).__name__ == "Column" and type(value).__module__.startswith("datasets.")


def not_unicode(queries: Sequence[str], documents: Sequence[str], prompt: str | None) -> TypeError:
    """Creates the error for texts if one of them has half of a surrogate pair, which no tokenizer reads."""
    named = [("the prompt", prompt or "")]
    for index, pair in enumerate(zip(queries, documents)):
        named += zip((f"pair {index}: the query", f"pair {index}: the document"), pair)
    for name, text in named:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return TypeError(f"{name} has half of a surrogate pair at {error.start}: {shown(text)}")
    return TypeError("a text has half of a surrogate pair")


def shown(value: Any) -> str:
    """Returns the type and the beginning of a value, for messages."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:79] + '…'}"
