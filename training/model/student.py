"""Makes a smaller model out of the layers of a larger one."""

import copy

import torch

from model.bert import CrossEncoder
from model.rounding import ROUNDINGS
from model.vocabulary import cut_embeddings


def student(teacher, layers, vocabulary=None):
    """Returns a model with the given layers of the teacher, and the embeddings of the given ids."""
    config = copy.deepcopy(teacher.config)
    config["num_hidden_layers"] = len(layers)
    if vocabulary is not None:
        config["vocab_size"] = len(vocabulary)
    model = CrossEncoder(config)
    for name in ("positions", "types", "norm", "pooler", "classifier"):
        getattr(model, name).load_state_dict(getattr(teacher, name).state_dict())
    table = teacher.words.weight.detach()
    model.words.weight.data.copy_(table if vocabulary is None else cut_embeddings(table, vocabulary))
    for own, index in zip(model.layers, layers):
        own.load_state_dict(teacher.layers[index].state_dict())
    return model


@torch.no_grad()
def round_embeddings(model, rounding):
    """Rounds the word embeddings, which training leaves as they are."""
    model.words.weight.copy_(ROUNDINGS[rounding](model.words.weight))


@torch.no_grad()
def mean(model, other, share):
    """Returns `model` with the weighted mean of its weights and those of another model of its shape, which has `share`."""
    weights = other.state_dict()
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.lerp_(weights[name], share)
    return model


@torch.no_grad()
def scale_logits(model, scale, offset):
    """Changes the last layer so that the logits become `scale * logit + offset`."""
    model.classifier.weight.mul_(scale)
    model.classifier.bias.mul_(scale).add_(offset)
