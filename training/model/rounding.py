"""Rounds weights as Ranklet's q8 and q4 files do, with the gradient of the exact weight (straight-through).

The grids are those of src/checkpoint/weights; the scales here are the plain ones, without the search and the error
feedback of `ranklet quantize`, which rounds the final weights.
"""

import torch

BLOCK = 32


def q8(weight):
    """Rounds each row of a matrix to multiples of one scale, with codes from -64 to 63."""
    scale = weight.abs().amax(-1, keepdim=True).clamp_min(1e-12) / 63.5
    return (weight / scale).round().clamp(-64, 63) * scale


def q4(weight):
    """Rounds blocks of 32 values of a row to multiples of an f16 scale, with codes from -8 to 7.

    The scale has the opposite sign of the value farthest from zero, so that this value is the code -8.
    """
    rows, columns = weight.shape
    blocks = weight.reshape(rows, columns // BLOCK, BLOCK)
    farthest = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
    scale = (farthest / -8).half().float()
    scale = torch.where(scale == 0, torch.full_like(scale, 1e-7), scale)
    return ((blocks / scale).round().clamp(-8, 7) * scale).reshape(rows, columns)


ROUNDINGS = {"q8": q8, "q4": q4}


def straight_through(rounding, weight):
    """Returns the rounded weight, whose gradient is that of the weight."""
    return weight + (rounding(weight) - weight).detach()


class PreparedWeights:
    """Prepares the weights of all `Linear` layers once for the passes of a step: rounded, and in bf16 if wanted."""

    def __init__(self, layers, rounding, dtype):
        self.layers, self.rounding, self.dtype = list(layers), ROUNDINGS.get(rounding), dtype

    def __enter__(self):
        for layer in self.layers:
            weight = layer.weight
            if self.rounding is not None:
                weight = straight_through(self.rounding, weight)
            layer.prepared = weight.to(self.dtype)

    def __exit__(self, *_):
        for layer in self.layers:
            layer.prepared = None
