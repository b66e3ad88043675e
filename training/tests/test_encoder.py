"""Tests of the embeddings that are kept: `python -m pytest training/tests`."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

pytest.importorskip("transformers")

from teachers import encoder


def test_a_text_is_embedded_once_wherever_it_stands(tmp_path, monkeypatch):
    embedded = []

    def embed(_, model, tokenizer, texts):
        embedded.extend(texts)
        return np.array([[len(text), 1] for text in texts], dtype=np.float16)

    monkeypatch.setattr(encoder, "load", lambda path: (None, None))
    monkeypatch.setattr(encoder, "embed", embed)
    monkeypatch.setattr(encoder, "SHARD", 2)
    own = encoder.Encoder("own", "path", "mean", query_prefix="query: ")
    first = encoder.embeddings(own, tmp_path, tmp_path, ["a", "bbb", "cc", "a"])
    assert first[:, 0].tolist() == [1, 3, 2, 1] and embedded == ["a", "bbb", "cc"]
    second = encoder.embeddings(own, tmp_path, tmp_path, ["new one", "cc", "bbb"])
    assert second[:, 0].tolist() == [7, 2, 3] and embedded[3:] == ["new one"]
    assert encoder.embeddings(own, tmp_path, tmp_path, ["cc"], queries=True)[:, 0].tolist() == [9]
    assert embedded[4:] == ["query: cc"]
