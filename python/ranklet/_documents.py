"""Reads the texts of documents."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._model import one_of, valid
from ._ranklet import document_texts as native_document_texts
from .errors import input_error

# The attributes of documents of LangChain, LlamaIndex, Haystack and others that hold their text.
_text_attributes = ("page_content", "text", "content")


def document_texts(documents: Sequence[Any], rank_fields: Sequence[str] | None = None, structured: str | None = None) -> list[str]:
    """Returns the texts of documents: of strings, mappings, or objects with a text.

    `rank_fields` names the fields that are scored, by name or by a path with dots; `structured` is the form of the
    text, "yaml" or "lines".
    """
    if structured is not None:
        one_of(structured, "structured", ("yaml", "lines"))
    if isinstance(rank_fields, str):
        raise input_error(f"rank_fields must be a list of names, not the text {rank_fields!r}")
    if rank_fields is None and structured is None:
        if all(isinstance(document, str) for document in documents):
            return [valid(document) for document in documents]
        documents = [_with_text(document) for document in documents]
    fields = None if rank_fields is None else list(rank_fields)
    try:
        values = valid(json.dumps(list(documents), default=_plain, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise input_error(f"documents: {error}") from error
    return native_document_texts(values, fields, structured)


def _with_text(document: Any) -> Any:
    """Returns the text of an object that has one as an attribute, and anything else as it is."""
    if isinstance(document, (str, Mapping)):
        return document
    for name in _text_attributes:
        if isinstance(text := getattr(document, name, None), str):
            return text
    return document


def _plain(value: Any) -> Any:
    """Converts an object to a value of JSON."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"a value is {type(value).__name__} and not a text: decode it")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    for name in ("model_dump", "to_dict", "tolist"):
        if callable(method := getattr(value, name, None)):
            return method()
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} is neither a text nor an object with fields")
