"""Losses over lists: `logits` and `targets` are `[lists, documents]`, both in units of logits."""

import torch


def listwise(logits, targets, temperature):
    """The Kullback-Leibler divergence of the ranking distributions (ListNet, Cao et al., 2007)."""
    target = torch.log_softmax(targets / temperature, -1)
    own = torch.log_softmax(logits / temperature, -1)
    return (target.exp() * (target - own)).sum(-1).mean()


def margins(logits, targets):
    """MarginMSE (Hofstätter et al., 2020, arXiv:2010.02666) over all pairs of a list.

    The mean squared difference of all pairwise margins is twice the variance of the differences.
    """
    difference = logits - targets
    return 2 * difference.var(-1, correction=0).mean()


def level(logits, targets):
    """The squared difference of the lists' means, which keeps scores of different queries comparable."""
    return (logits.mean(-1) - targets.mean(-1)).square().mean()


def total(logits, targets, weights):
    """The weighted sum that training minimizes; `weights` has a temperature and a factor for each loss."""
    return (
        weights["listwise"] * listwise(logits, targets, weights["temperature"])
        + weights["margins"] * margins(logits, targets)
        + weights["level"] * level(logits, targets)
    )
