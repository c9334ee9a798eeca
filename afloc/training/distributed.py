"""Training on several processes, with the losses of one.

torchrun --nproc-per-node 4 -m afloc train assets/configs/mini.toml --data DATA --out runs/mini

Every process draws the same batch and encodes its share. What the shares give is gathered, so that each image
meets all descriptions of the batch, and batch statistics are those of the whole batch; each process then has
the whole loss, and DistributedDataParallel takes the mean of their gradients. As the gradient of a gathered
sum is the sum over processes, that mean is the gradient of one process with the whole batch.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

LONGEST_WAIT = timedelta(hours=6)  # for the first process, while it decodes a training table


def start() -> None:
    """Join the processes that torchrun started, if it did."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        distributed.init_process_group("gloo", timeout=LONGEST_WAIT)


def place() -> tuple[int, int]:
    """Which process this is, of how many."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def is_first() -> bool:
    """Whether this is the process that writes."""
    return place()[0] == 0


@contextmanager
def first_alone() -> Iterator[None]:
    """The first process does what follows; the others wait, and then find it done."""
    number, count = place()
    if number:
        distributed.barrier()
    yield
    if count > 1 and number == 0:
        distributed.barrier()


def share(count: int) -> slice:
    """This process's share of `count` rows."""
    number, processes = place()
    return slice(count * number // processes, count * (number + 1) // processes)


def gather(mine: Tensor, rows: slice | Sequence[int], count: int) -> Tensor:
    """All `count` rows (count, …), of which `mine` are those at `rows`, with their gradients."""
    if isinstance(rows, slice) and len(mine) == count:
        return mine
    whole = mine.new_zeros(count, *mine.shape[1:])
    whole[rows] = mine
    return total(whole)


def total(x: Tensor) -> Tensor:
    """The sum over the processes."""
    return _Sum.apply(x) if place()[1] > 1 else x


class _Sum(torch.autograd.Function):
    """Each process's sum counts in each process's loss, hence the sum on the way back as well."""

    @staticmethod
    def forward(_, x: Tensor) -> Tensor:
        x = x.contiguous().clone()
        distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(_, gradient: Tensor) -> Tensor:
        return _Sum.forward(None, gradient)


class WholeBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the statistics of all processes' shares; torch's own needs a GPU."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        count = total(x.new_tensor(float(x.numel() // x.shape[1])))
        mean = total(x.sum((0, 2, 3))) / count
        centered = x - mean[:, None, None]
        variance = total(centered.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        return centered * scale[:, None, None] + self.bias[:, None, None]


class _Losses(nn.Module):
    """A stage as DistributedDataParallel wants it: its losses are what comes forward."""

    def __init__(self, stage):
        super().__init__()
        self.stage, self.trained = stage, stage.modules

    def forward(self, step: int) -> dict[str, Tensor]:
        return self.stage.losses(step)


def losses_of(stage):
    """`stage.losses`, whose gradients become, among several processes, those of the whole batch."""
    if place()[1] == 1:
        return stage.losses
    for module in stage.modules.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = WholeBatchNorm  # the same weights and state, shared statistics
    return DistributedDataParallel(_Losses(stage), forward_sync_buffers=False, find_unused_parameters=True)
