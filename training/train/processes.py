"""Training in several processes: each computes the gradients of its part of a step's lists, and all take the same step."""

import tempfile
from pathlib import Path

import torch
from torch import distributed, multiprocessing


def run(count, function, *arguments):
    """Calls a function with its arguments in `count` processes, or in this one if `count` is 1."""
    if count == 1:
        function(*arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_start, (count, Path(folder) / "meeting", function, arguments), nprocs=count)


def _start(rank, count, meeting, function, arguments):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    function(*arguments)
    distributed.destroy_process_group()


def place():
    """Returns the number of this process, from 0 on, and the number of processes."""
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


def part(lists):
    """Returns this process's part of a step's lists. All parts have the same size, so that their gradients count equally."""
    rank, count = place()
    if len(lists) % count:
        raise ValueError(f"{len(lists)} lists cannot be shared equally among {count} processes; choose another number of processes")
    return lists[rank::count]


@torch.no_grad()
def average(tensors):
    """Replaces tensors by their mean over all processes."""
    _, count = place()
    if count == 1:
        return
    joined = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(joined)
    for tensor, sum_of_all in zip(tensors, joined.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(sum_of_all.view_as(tensor) / count)
