"""Where and how a stage computes: its device, the precision of its encoders, the processes that read for it.

On a CPU everything is in single precision. On a GPU the encoders run under autocast (bfloat16 where the card
computes in it, else float16 with a gradient scaler); the losses stay in single precision.
"""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from afloc.model.device import choose_device

MOST_WORKERS = 8  # more of them wait for each other's memory


@dataclass(frozen=True)
class Compute:
    """`half`: the precision of the encoders under autocast; None: single. `workers`: how many processes read
    and augment the batches ahead of the training; 0: the training does it itself."""

    device: torch.device = torch.device("cpu")
    half: torch.dtype | None = None
    workers: int = 0

    def autocast(self) -> AbstractContextManager:
        """The precision of the encoders, for the block."""
        return torch.autocast(self.device.type, self.half, enabled=self.half is not None)

    def scaler(self) -> torch.amp.GradScaler:
        """Keeps small gradients of float16 from becoming 0; in other precisions it does nothing."""
        return torch.amp.GradScaler(self.device.type, enabled=self.half is torch.float16)

    def send(self, tensor: Tensor) -> Tensor:
        """The tensor on the device."""
        return tensor.to(self.device, non_blocking=True)

    def wait(self) -> None:
        """Wait until the device has done all it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


CPU = Compute()


def choose_compute(device: str = "auto", workers: int | None = None) -> Compute:
    """`device`: "auto" (a GPU if there is one), "cpu" or "cuda"; of several GPUs each process that torchrun
    started takes its own. `workers`: None for what suits the device.

    Raises SettingsError where there is no GPU and "cuda" was asked for.
    """
    if choose_device(device).type == "cpu":
        return Compute(workers=workers or 0)
    place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(place)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.deterministic = True
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if workers is None:
        workers = max(1, min(MOST_WORKERS, (os.cpu_count() or 1) // here - 1))
    return Compute(place, torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16, workers)


def full(x: Tensor) -> Tensor:
    """`x` in single precision, if it is in half."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
