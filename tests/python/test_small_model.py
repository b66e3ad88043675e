"""The small model, which the package ranklet-small holds."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import pytest

from conftest import FIXTURES, ROOT
from ranklet import CrossEncoder, Identity, RankletError, Reranker

SMALL = "ranklet/small"


@pytest.mark.parametrize(("dtype", "tolerance"), [("f32", 1e-4), ("auto", 0.05)])
def test_small_model_has_the_scores_of_the_oracle(dtype: str, tolerance: float) -> None:
    seed = json.loads((FIXTURES / "seed_small.json").read_text())
    pairs = [[seed["query"], document] for document in seed["documents"]]
    logits = CrossEncoder(SMALL, dtype=dtype).predict(pairs, activation_fn=Identity())
    assert np.abs(logits - np.array(seed["logits"])).max() <= tolerance
    scores = Reranker.load(SMALL, dtype=dtype).score(pairs)
    assert np.abs(np.ravel(scores) - np.array(seed["scores"])).max() <= tolerance


def test_without_its_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name == "ranklet_small" else original(name, package)

    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(RankletError, match=r'pip install "ranklet\[small\]"'):
        Reranker.load(SMALL)


@pytest.mark.parametrize("name", [SMALL, "ranklet/default"])
def test_models_of_the_package_have_no_revisions(name: str) -> None:
    with pytest.raises(RankletError, match="revision"):
        Reranker.load(name, revision="main")


def test_default_model_has_a_name() -> None:
    pairs = [["a river", "A river to the sea."]]
    assert Reranker.load("ranklet/default").score(pairs) == Reranker.load().score(pairs)


def test_wheel_has_the_default_model_alone() -> None:
    wheel = next((ROOT / ".build" / "wheels").glob("ranklet-*.whl"))
    assert wheel.stat().st_size < 30_000_000
