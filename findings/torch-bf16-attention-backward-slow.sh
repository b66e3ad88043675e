#!/usr/bin/env bash
# torch 2.15.0 on a CPU with AVX-512 BF16: under bfloat16 autocast the backward pass of scaled_dot_product_attention is slower
# than in float32, though it reads half the bytes, and slower than the backward pass of two products and a softmax written
# out, which autocast speeds up. The forward pass has neither disadvantage, and a mask makes no difference. A training loop
# in bfloat16 should therefore write attention out, and one in float32 should not.
#
# Seen with torch 2.15.0, one thread, AMD Zen 4, [16, 12, 112, 32], forward and backward, processor time: float32 23 ms fused
# and 34 ms written out; bfloat16 67 ms fused and 25 ms written out. The forward pass alone in bfloat16: 8 ms both.
# Needs 6 GB of free space for torch and its libraries; says so and stops on a processor without AVX-512 BF16.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.15.0 numpy
"$folder/venv/bin/python" - <<'PYTHON'
import statistics
import sys
import time

import torch

print("torch", torch.__version__)
if not torch.cpu._is_avx512_bf16_supported():
    sys.exit("not tested: this processor has no AVX-512 BF16")
torch.set_num_threads(1)
torch.manual_seed(0)
query, key, value = (torch.randn(16, 12, 112, 32, requires_grad=True) for _ in range(3))


def fused():
    return torch.nn.functional.scaled_dot_product_attention(query, key, value)


def written_out():
    return (query @ key.transpose(-1, -2) * 32**-0.5).softmax(-1) @ value


def milliseconds(attention, dtype, backward):
    """The median processor time of 11 runs after 2 others."""
    times = []
    for _ in range(13):
        started = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            output = attention()
        if backward:
            output.float().sum().backward()
        times.append(1000 * (time.process_time() - started))
    return statistics.median(times[2:])


seen = {}
for dtype in ("float32", "bfloat16"):
    for attention in (fused, written_out):
        for backward in (False, True):
            seen[dtype, attention.__name__, backward] = milliseconds(attention, dtype, backward)
            passes = "forward and backward" if backward else "forward"
            print(f"{dtype}, {attention.__name__}, {passes}: {seen[dtype, attention.__name__, backward]:.1f} ms")
slow = seen["bfloat16", "fused", True]
expected = {
    "in bfloat16, fused is slower than written out": slow > 1.5 * seen["bfloat16", "written_out", True],
    "fused is slower in bfloat16 than in float32": slow > 1.5 * seen["float32", "fused", True],
    "in float32, fused is faster than written out": seen["float32", "fused", True] < seen["float32", "written_out", True],
}
for statement, holds in expected.items():
    print(f"{'holds' if holds else 'CHANGED'}: {statement}")
sys.exit(0 if all(expected.values()) else "the behavior has changed")
PYTHON
