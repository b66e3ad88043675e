"""Teaches a student with fewer layers to compute the hidden states of the model that it was cut from.

A model without half of its layers ranks no better than chance (TRIED.md), but hidden states are a target for every token,
so few pairs repair it. This needs no targets for pairs, and the vocabulary of teacher and student must be the same.
"""

import torch

from model.rounding import PreparedWeights
from train.batches import pad
from train.loop import Run


def hidden_loss(own, target, lengths):
    """The mean squared error of hidden states, over real tokens and relative to the target's mean square."""
    mask = (torch.arange(own.shape[1])[None, :] < lengths[:, None])[..., None]
    target = target[:, : own.shape[1]].float()
    error = ((own.float() - target).square() * mask).sum()
    return error / (target.square() * mask).sum()


class Distillation(Run):
    """A run whose loss compares hidden states and logits with those of a teacher."""

    def __init__(self, folder, settings, entries, passages, teacher):
        self.teacher = teacher.eval()
        super().__init__(folder, settings, entries, passages)
        # The student's layer i does the work of the teacher's layers up to this one.
        ratio = len(teacher.layers) // len(self.model.layers)
        self.taught_by = [ratio * (index + 1) - 1 for index in range(len(self.model.layers))]

    def loss(self, lists):
        """Returns the loss of a step and its number of pairs."""
        pairs = sorted(self.pairs_of(lists), key=lambda pair: len(pair[0]))
        size, losses = self.settings.micro_batch, []
        with torch.autocast("cpu", torch.bfloat16), PreparedWeights(self.linears, self.rounding(), torch.bfloat16):
            for start in range(0, len(pairs), size):
                batch = pad(pairs[start : start + size])
                with torch.no_grad():
                    wanted, states = self.teacher(*batch, hidden_states=True)
                logits, own = self.model(*batch, hidden_states=True)
                hidden = sum(hidden_loss(a, states[at], batch[2]) for a, at in zip(own, self.taught_by))
                losses.append(len(logits) / len(pairs) * (hidden + 0.1 * (logits - wanted).square().mean()))
        return sum(losses), len(pairs)
