"""Write checkpoints of common shapes with random weights.

    python shapes.py NAME OUT TEMPLATE [XLMR]

Speed and memory depend on shapes and vocabularies, not on values. TEMPLATE is
a folder with a WordPiece tokenizer of 30,522 tokens. XLMR is a folder with
XLM-R's tokenizer.json; without it, and for the other families, a synthetic
tokenizer of the right size is written. Weights are f16.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

SEED = 20260801
# The standard deviation of BERT's initialization.
STD = 0.02
BLOCK = 1 << 20
LETTERS = "abcdefghijklmnopqrstuvwxyz"

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
XLMR = {
    "model_type": "xlm-roberta",
    "vocab_size": 250002,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
DEBERTA = {
    "model_type": "deberta-v2",
    "vocab_size": 128100,
    "max_position_embeddings": 512,
    "type_vocab_size": 0,
    "relative_attention": True,
    "position_buckets": 256,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "layer_norm_eps": 1e-7,
    "pooler_hidden_act": "gelu",
}


def bert_like(layers, hidden, heads, intermediate):
    """Return the layer sizes under the field names that most families use."""
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
    }


def ettin(layers, hidden, intermediate):
    """Return a ModernBERT of the Ettin family."""
    return {
        "model_type": "modernbert",
        "vocab_size": 50368,
        "max_position_embeddings": 7999,
        "local_attention": 128,
        "global_attn_every_n_layers": 3,
        "pad_token_id": 50283,
        "bos_token_id": 50281,
        "eos_token_id": 50282,
        "cls_token_id": 50281,
        "sep_token_id": 50282,
        **bert_like(layers, hidden, hidden // 64, intermediate),
    }


# Configuration and kind of tokenizer, by the name of the checkpoint with this shape.
SHAPES = {
    "ms-marco-electra-base": ({"model_type": "electra", "vocab_size": 30522, "embedding_size": 768, **BASE}, "wordpiece"),
    "mmarco-minilm-l12": ({**XLMR, **bert_like(12, 384, 12, 1536)}, "xlmr"),
    "bge-reranker-base": ({**XLMR, **BASE}, "xlmr"),
    "bge-reranker-large": ({**XLMR, **bert_like(24, 1024, 16, 4096)}, "xlmr"),
    "mxbai-rerank-base": ({**DEBERTA, **BASE}, "deberta"),
    "ettin-17m": (ettin(7, 256, 384), "bpe"),
    "ettin-32m": (ettin(10, 384, 576), "bpe"),
    "ettin-68m": (ettin(19, 512, 768), "bpe"),
    "ettin-150m": (ettin(22, 768, 1152), "bpe"),
}


def values(name, shape, block):
    """Return f16 values that suit the tensor of this name."""
    count = int(np.prod(shape))
    if name.endswith("bias"):
        return np.zeros(shape, np.float16)
    if len(shape) == 1:
        return np.ones(shape, np.float16)
    return np.resize(block, count).reshape(shape)


def write_weights(path, shapes):
    """Write random weights of these shapes."""
    block = (np.random.default_rng(SEED).standard_normal(BLOCK - 3) * STD).astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: values(name, shape, block) for name, shape in shapes.items()}, path, {"format": "pt"})


def write_json(path, value):
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))


def write_chain(out, hidden):
    """Write the modules after an encoder: CLS pooling, dense, norm, dense to the score."""
    kinds = ["transformer.Transformer", "pooling.Pooling", "dense.Dense", "layer_norm.LayerNorm", "dense.Dense"]
    folders = ["", "1_Pooling", "2_Dense", "3_LayerNorm", "4_Dense"]
    names = [f"sentence_transformers.models.{kind.split('.')[1]}" for kind in kinds]
    write_json(
        out / "modules.json",
        [{"idx": at, "name": str(at), "path": path, "type": name} for at, (path, name) in enumerate(zip(folders, names))],
    )
    saved = {"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity"}
    write_json(out / "config_sentence_transformers.json", saved)
    write_json(out / "1_Pooling/config.json", {"embedding_dimension": hidden, "pooling_mode": "cls"})
    row = {"in_features": hidden, "module_input_name": "sentence_embedding"}
    gelu, identity = "torch.nn.modules.activation.GELU", "torch.nn.modules.linear.Identity"
    inside = {"out_features": hidden, "bias": False, "activation_function": gelu}
    last = {"out_features": 1, "bias": True, "activation_function": identity}
    write_json(out / "2_Dense/config.json", {**row, **inside, "module_output_name": "sentence_embedding"})
    write_json(out / "3_LayerNorm/config.json", {"dimension": hidden})
    write_json(out / "4_Dense/config.json", {**row, **last, "module_output_name": "scores"})
    write_weights(out / "2_Dense/model.safetensors", {"linear.weight": [hidden, hidden]})
    write_weights(out / "3_LayerNorm/model.safetensors", {"norm.weight": [hidden], "norm.bias": [hidden]})
    write_weights(out / "4_Dense/model.safetensors", {"linear.weight": [1, hidden], "linear.bias": [1]})


def synthetic_words(count, first=""):
    """Yield `count` different words, short ones first."""
    words, width = [first], 0
    while count > 0:
        words = [word + letter for word in words for letter in LETTERS]
        width += 1
        yield from words[:count]
        count -= len(words)


def unigram(specials, size):
    """Return a Unigram tokenizer of synthetic pieces."""
    half = (size - len(specials) - 1) // 2
    pieces = [*specials, "\u2581", *synthetic_words(half), *synthetic_words(size, "\u2581")][:size]
    scores = [(piece, 0.0 if at < len(specials) else -4.0 - at / size) for at, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=specials.index(next(s for s in specials if "unk" in s.lower()))))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def bpe(specials, size):
    """Return a byte-level BPE tokenizer of synthetic merges; special tokens have the last ids."""
    vocabulary = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges, stems = [], ["\u0120", *LETTERS]
    remaining = size - len(specials) - len(vocabulary)
    while len(merges) < remaining:
        pairs = [(left, letter) for left in stems for letter in LETTERS][: remaining - len(merges)]
        merges += pairs
        stems = [left + letter for left, letter in pairs]
        vocabulary += stems
    vocabulary = {token: at for at, token in enumerate([*vocabulary, *specials])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def write_tokenizer(out, tokenizer, specials, pair, names):
    """Write a synthetic tokenizer with a pair template."""
    tokenizer.add_special_tokens(specials)
    ids = [(token, tokenizer.token_to_id(token)) for token in names.values()]
    start, end = names["cls_token"], names["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{start} $A {end}", pair=pair, special_tokens=list(dict(ids).items()))
    tokenizer.save(str(out / "tokenizer.json"))
    return names


def write_text(kind, out, size, template, xlmr):
    """Write tokenizer.json and tokenizer_config.json."""
    bert = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
    roberta = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
    bert_pair = "[CLS] $A [SEP] $B [SEP]"
    if kind == "wordpiece":
        for name in ["tokenizer.json", "tokenizer_config.json"]:
            shutil.copyfile(template / name, out / name)
        return
    if kind == "xlmr":
        tokenizer_config = {
            **roberta,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "tokenizer_class": "XLMRobertaTokenizer",
            "model_max_length": 512,
        }
        if xlmr is not None:
            shutil.copyfile(xlmr / "tokenizer.json", out / "tokenizer.json")
        else:
            specials = ["<s>", "<pad>", "</s>", "<unk>"]
            write_tokenizer(out, unigram(specials, size - 1), [*specials, "<mask>"], "<s> $A </s> </s> $B </s>", roberta)
    elif kind == "deberta":
        specials = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
        write_tokenizer(out, unigram(specials, size - 101), [*specials, "[MASK]"], bert_pair, bert)
        tokenizer_config = {**bert, "tokenizer_class": "DebertaV2Tokenizer", "model_max_length": 512}
    else:
        specials = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
        write_tokenizer(out, bpe(specials, 50285), specials, bert_pair, bert)
        tokenizer_config = {**bert, "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 7999}
    write_json(out / "tokenizer_config.json", tokenizer_config)


def main(name, out, template, xlmr=None):
    """Write one checkpoint."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    sizes, tokenizer = SHAPES[name]
    is_chain = sizes["model_type"] == "modernbert"
    config = AutoConfig.for_model(**sizes, **({} if is_chain else {"num_labels": 1}))
    kind = AutoModel if is_chain else AutoModelForSequenceClassification
    with torch.device("meta"):
        model = kind.from_config(config)
    config.architectures = [type(model).__name__]
    write_json(out / "config.json", config.to_dict())
    write_weights(out / "model.safetensors", {key: list(tensor.shape) for key, tensor in model.state_dict().items()})
    if is_chain:
        write_chain(out, config.hidden_size)
    write_text(tokenizer, out, sizes["vocab_size"], Path(template), None if xlmr is None else Path(xlmr))


if __name__ == "__main__":
    main(*sys.argv[1:])
