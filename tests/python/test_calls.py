"""Makes the calls that tests/fixtures/make_cross_encoder_calls.py has made with sentence-transformers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from conftest import FIXTURES, fixture
from outcome import differences, outcome_of
from ranklet import CrossEncoder, Identity, Sigmoid

RECORDED = json.loads((FIXTURES / "cross_encoder_calls.json").read_text(encoding="utf-8"))
TOLERANCE = 1e-4

try:
    import torch
except ImportError:
    torch = None


def load(name: str, *args: Any, **kwargs: Any) -> CrossEncoder:
    return CrossEncoder(str(fixture(name).folder), *args, **{"device": "cpu", **kwargs})


def load_named(labels: list[str]) -> CrossEncoder:
    files = fixture("bert-labels3-cjk-h60").files()
    config = json.loads(files["config.json"])
    config["id2label"] = {str(index): label for index, label in enumerate(labels)}
    config["label2id"] = {label: index for index, label in enumerate(labels)}
    return CrossEncoder({**files, "config.json": json.dumps(config).encode()}, device="cpu")


def set_attribute(model: CrossEncoder, name: str, value: Any) -> CrossEncoder:
    setattr(model, name, value)
    return model


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def needs_torch(recorded: dict[str, Any]) -> bool:
    has_tensors = any(word in json.dumps(recorded.get("value")) for word in ('"tensor"', '"items": []'))
    return "torch." in recorded["call"] or (has_tensors and "convert_to" in recorded["call"])


@pytest.mark.parametrize("recorded", RECORDED["calls"], ids=lambda recorded: recorded["call"])
def test_call_has_the_outcome_of_sentence_transformers(recorded: dict[str, Any]) -> None:
    if needs_torch(recorded) and torch is None:
        pytest.skip("torch is not installed")
    names = dict(load=load, load_named=load_named, set_attribute=set_attribute, pairs=RECORDED["pairs"], np=np, torch=torch)
    names |= dict(CrossEncoder=CrossEncoder, Sigmoid=Sigmoid, Identity=Identity, evaluator=None)
    outcome = outcome_of(lambda: eval(recorded["call"], names))
    if "error" in recorded:
        assert outcome.get("error") == recorded["error"], outcome
    else:
        assert "value" in outcome, outcome
        assert differences(recorded["value"], outcome["value"], TOLERANCE) == []
