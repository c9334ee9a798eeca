"""Training on several processes, with the losses of one.

torchrun --nproc-per-node 4 -m afloc train assets/configs/mini.toml --data DATA --out runs/mini

Every process draws the same batch and encodes its own slice of it. The encoded slices are gathered, so that
each image meets all descriptions of the batch, and batch statistics are those of the whole batch. Each
process then computes the whole loss, and DistributedDataParallel averages their gradients. The gradient of
an all-reduced sum is itself summed over the processes; that average is therefore the gradient of one process
with the whole batch.
"""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from afloc.training.compute import full

LONGEST_WAIT = timedelta(hours=6)  # for the first process, while it decodes a training table


def start(device: str = "cpu") -> None:
    """Join the processes that torchrun started, if it did. `device`: the type of device they compute on."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=LONGEST_WAIT)


def rank_and_world_size() -> tuple[int, int]:
    """The number of this process, from 0, and how many processes there are."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def is_first() -> bool:
    """Whether this is the process that writes files."""
    return rank_and_world_size()[0] == 0


def local_slice(count: int) -> slice:
    """The slice of `count` rows that this process encodes."""
    rank, world_size = rank_and_world_size()
    return slice(count * rank // world_size, count * (rank + 1) // world_size)


def all_gather(local: Tensor, rows: slice | Sequence[int], count: int) -> Tensor:
    """All `count` rows (count, …), with their gradients; this process has `local`, those at `rows`."""
    if isinstance(rows, slice) and len(local) == count:
        return local
    gathered = local.new_zeros(count, *local.shape[1:])
    gathered[rows] = local
    return all_reduce(gathered)


def all_reduce(x: Tensor) -> Tensor:
    """The sum of `x` over the processes, with its gradient."""
    return _AllReduce.apply(x) if rank_and_world_size()[1] > 1 else x


class _AllReduce(torch.autograd.Function):
    """The sum enters the loss of every process; its gradient is therefore a sum over the processes too."""

    @staticmethod
    def forward(_, x: Tensor) -> Tensor:
        x = x.contiguous().clone()
        distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(_, gradient: Tensor) -> Tensor:
        return _AllReduce.forward(None, gradient)


class SyncBatchNorm(nn.BatchNorm2d):
    """A batch normalisation with the statistics of the whole batch; torch's own SyncBatchNorm needs a GPU.

    It shares the parameters and running statistics of the `local` one that it replaces.
    """

    def __init__(self, local: nn.BatchNorm2d):
        super().__init__(local.num_features, local.eps, local.momentum)
        self.weight, self.bias = local.weight, local.bias
        self.running_mean, self.running_var = local.running_mean, local.running_var
        self.num_batches_tracked, self.training = local.num_batches_tracked, local.training

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        given, x = x.dtype, full(x)  # in half precision the sums would overflow
        count = all_reduce(x.new_tensor(float(x.numel() // x.shape[1])))
        mean = all_reduce(x.sum((0, 2, 3))) / count
        centered = x - mean[:, None, None]
        variance = all_reduce(centered.square().sum((0, 2, 3))) / count
        assert self.running_mean is not None and self.running_var is not None  # of the `local` one
        assert self.momentum is not None and self.num_batches_tracked is not None
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centered * scale[:, None, None] + self.bias[:, None, None]).to(given)


class _Losses(nn.Module):
    """A stage in the form that DistributedDataParallel needs: `forward` returns its losses."""

    def __init__(self, stage):
        super().__init__()
        self.stage, self.trained = stage, stage.modules

    def forward(self, batch: Any) -> dict[str, Tensor]:
        return self.stage.losses(batch)


def losses_of(stage: Any) -> Callable[..., Any]:
    """`stage.losses`; with several processes, their gradients become those of the whole batch."""
    if rank_and_world_size()[1] == 1:
        return stage.losses
    for parent in list(stage.modules.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, SyncBatchNorm(child))
    return DistributedDataParallel(_Losses(stage), forward_sync_buffers=False, find_unused_parameters=True)
