"""Training in several processes: each computes the gradients of its share of a step's lists, and all take the same step."""

import tempfile
from pathlib import Path

import torch
from torch import distributed, multiprocessing


def run(world_size, function, *arguments):
    """Calls a function with its arguments in `world_size` processes, or in this one if that is 1."""
    if world_size == 1:
        function(*arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_start, (world_size, Path(folder) / "rendezvous", function, arguments), nprocs=world_size)


def _start(rank, world_size, rendezvous, function, arguments):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world_size)
    function(*arguments)
    distributed.destroy_process_group()


def rank():
    """Returns the rank of this process; 0 if it is alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size():
    """Returns the number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def shard(lists):
    """Returns this process's share of a step's lists. All shares have the same size, so that their gradients have the same weight."""
    count = world_size()
    if len(lists) % count:
        raise ValueError(f"{len(lists)} lists cannot be shared equally among {count} processes; choose another number of processes")
    return lists[rank() :: count]


@torch.no_grad()
def average(tensors):
    """Replaces tensors by their mean over all processes."""
    if world_size() == 1:
        return
    joined = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(joined)
    for tensor, total in zip(tensors, joined.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(total.view_as(tensor) / world_size())


def wait():
    """Waits until all processes have come here."""
    if distributed.is_initialized():
        distributed.barrier()
