"""Reads the texts of documents."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._model import listed, one_of, text, valid
from ._ranklet import document_texts as native_document_texts
from .errors import from_native

# The attributes of documents of LangChain, LlamaIndex, Haystack and others that hold their text.
_text_attributes = ("page_content", "text", "content")


def document_texts(documents: Iterable[Any], rank_fields: Sequence[str] | None = None, structured: str | None = None) -> list[str]:
    """Returns the text of each document that is scored with the same options.

    The positions of spans, highlights and explained units are positions in it.

    Args:
        documents: texts, mappings with a text, or objects with a text, such as those of LangChain.
        rank_fields: the fields of each document that are scored, by name or by a path with dots.
        structured: "yaml" or "lines", the form of a document with fields.
    """
    documents = listed(documents, "documents")
    if structured is not None:
        one_of(structured, "structured", ("yaml", "lines"))
    fields = None
    if rank_fields is not None:
        fields = [text(field, f"rank_fields[{index}]") for index, field in enumerate(listed(rank_fields, "rank_fields"))]
    if fields is None and structured is None:
        if all(isinstance(document, str) for document in documents):
            return [valid(document) for document in documents]
        documents = [_with_text(document) for document in documents]
    encoder = json.JSONEncoder(default=_plain, ensure_ascii=False, allow_nan=False)
    values = []
    for index, document in enumerate(documents):
        try:
            if fields is not None:
                document = _fields_of(document, fields)
            elif structured is None:
                document = _texts_of(document)
            values.append(valid(encoder.encode(document)))
        except (TypeError, ValueError) as error:
            raise from_native("input", str(error), ("document", index, index + 1)) from error
    return native_document_texts(f"[{','.join(values)}]", fields, structured)


def _texts_of(document: Any) -> Any:
    """Returns the fields of a document that are texts: without options no other field is read, whatever it holds."""
    document = _with_fields(document)
    if not isinstance(document, Mapping):
        return document
    return {name: value for name, value in document.items() if isinstance(name, str) and isinstance(value, str)}


def _fields_of(value: Any, paths: Sequence[str]) -> Any:
    """Returns a value with no other fields than those that the paths may name, so that the others may hold anything.

    As in the engine, a field whose own name has dots wins over a path through several fields.
    """
    value = _with_fields(value)
    if isinstance(value, Mapping):
        inner: dict[str, list[str]] = {}
        for path in paths:
            if path not in value:
                for at, character in enumerate(path):
                    if character == "." and path[:at] in value:
                        inner.setdefault(path[:at], []).append(path[at + 1 :])
        fields = {name: _fields_of(value[name], rest) for name, rest in inner.items()}
        return fields | {path: value[path] for path in paths if path in value}
    if isinstance(value, (list, tuple)):
        return [_fields_of(item, paths) for item in value]
    return value


def _with_fields(value: Any) -> Any:
    """Converts an object with fields to a mapping or a list, and returns anything else as it is."""
    return value if isinstance(value, (str, int, float, Mapping, list, tuple, type(None))) else _plain(value)


def _with_text(document: Any) -> Any:
    """Returns the text of an object that has one as an attribute, and anything else as it is."""
    if isinstance(document, (str, Mapping)):
        return document
    for name in _text_attributes:
        if isinstance(content := getattr(document, name, None), str):
            return content
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
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    for name in ("model_dump", "to_dict", "tolist"):
        if callable(method := getattr(value, name, None)):
            return method()
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} is neither a text nor an object with fields")
