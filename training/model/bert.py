"""A BERT cross-encoder for training on a CPU.

The weights have the names of `BertForSequenceClassification`. Two things differ from the model in transformers, and
neither changes a logit: the last layer computes queries, feed-forward and norms of the first token alone, because
nothing else reaches the pooler; and the word embeddings are a fixed table.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F


class Linear(nn.Linear):
    """A linear layer that can be given the weight to use, such as a rounded one, for the forward passes of a step."""

    prepared = None

    def forward(self, x):
        return F.linear(x, self.weight if self.prepared is None else self.prepared, self.bias)


class Layer(nn.Module):
    """One encoder layer; `first_only` returns the row of the first token alone."""

    def __init__(self, config, first_only):
        super().__init__()
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.heads, self.first_only = config["num_attention_heads"], first_only
        self.query, self.key, self.value, self.out = (Linear(hidden, hidden) for _ in range(4))
        self.up, self.down = Linear(hidden, inner), Linear(inner, hidden)
        self.norm1, self.norm2 = (nn.LayerNorm(hidden, eps=config["layer_norm_eps"]) for _ in range(2))

    def split(self, x):
        """Splits `[pairs, tokens, hidden]` into `[pairs, heads, tokens, width]`."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2).contiguous()

    def forward(self, x, mask, dropout):
        rows = x[:, :1] if self.first_only else x
        query, key, value = (self.split(part) for part in (self.query(rows), self.key(x), self.value(x)))
        # Not scaled_dot_product_attention: its backward pass on a CPU takes three times as long (torch 2.15).
        weights = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        attended = torch.softmax(weights + mask.to(weights.dtype), -1) @ value
        attended = self.out(attended.transpose(1, 2).flatten(2))
        rows = self.norm1(rows + F.dropout(attended, dropout, self.training))
        inner = self.down(F.gelu(self.up(rows)))
        return self.norm2(rows + F.dropout(inner, dropout, self.training))


# The names of a layer's parts in a checkpoint of transformers.
LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm2": "output.LayerNorm",
}


class CrossEncoder(nn.Module):
    """BERT with a pooler and one label."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        hidden = config["hidden_size"]
        self.words = nn.Embedding(config["vocab_size"], hidden)
        self.words.weight.requires_grad_(False)
        self.positions = nn.Embedding(config["max_position_embeddings"], hidden)
        self.types = nn.Embedding(config["type_vocab_size"], hidden)
        self.norm = nn.LayerNorm(hidden, eps=config["layer_norm_eps"])
        count = config["num_hidden_layers"]
        self.layers = nn.ModuleList(Layer(config, index == count - 1) for index in range(count))
        self.pooler, self.classifier = nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        self.dropout = 0.0

    def forward(self, ids, types, lengths, hidden_states=False):
        """Returns the logits `[pairs]`, and with `hidden_states` the first token's row after each layer as well."""
        tokens = torch.arange(ids.shape[1])
        mask = torch.where(tokens[None, :] < lengths[:, None], 0.0, -1e4)[:, None, None, :]
        x = self.words(ids) + self.positions(tokens) + self.types(types)
        x = F.dropout(self.norm(x), self.dropout, self.training)
        states = []
        for layer in self.layers:
            x = layer(x, mask, self.dropout)
            states.append(x)
        logits = self.classifier(torch.tanh(self.pooler(x[:, 0])))[:, 0].float()
        return (logits, states) if hidden_states else logits


def tensor_names(layers):
    """Maps the names of this module's parameters to those of transformers."""
    names = {
        "words": "bert.embeddings.word_embeddings",
        "positions": "bert.embeddings.position_embeddings",
        "types": "bert.embeddings.token_type_embeddings",
        "norm": "bert.embeddings.LayerNorm",
        "pooler": "bert.pooler.dense",
        "classifier": "classifier",
    }
    for index in range(layers):
        for own, name in LAYER_NAMES.items():
            names[f"layers.{index}.{own}"] = f"bert.encoder.layer.{index}.{name}"
    return names


def load(folder):
    """Loads a checkpoint in f32 from a folder with `config.json` and `model.safetensors`."""
    folder = Path(folder)
    model = CrossEncoder(json.loads((folder / "config.json").read_text()))
    tensors = load_file(folder / "model.safetensors")
    names = tensor_names(len(model.layers))
    state = {}
    for name in model.state_dict():
        module, _, kind = name.rpartition(".")
        state[name] = tensors[f"{names[module]}.{kind}"].float()
    model.load_state_dict(state)
    return model


def save(model, folder, dtype=torch.float16):
    """Writes `config.json` and `model.safetensors` as transformers does."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = tensor_names(len(model.layers))
    tensors = {}
    for name, value in model.state_dict().items():
        module, _, kind = name.rpartition(".")
        tensors[f"{names[module]}.{kind}"] = value.to(dtype).contiguous()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(model.config, indent=2) + "\n")
