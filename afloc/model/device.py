"""The device that a model runs on, by its name."""

import torch

from afloc.errors import SettingsError


def choose_device(name: str) -> torch.device:
    """`name`: "auto" (a GPU if there is one), "cpu" or "cuda". SettingsError for any other, and for "cuda"
    where there is no GPU."""
    if name not in ("auto", "cpu", "cuda"):
        raise SettingsError(f"The device must be auto, cpu or cuda, not {name!r}.")
    there = name != "cpu" and torch.cuda.is_available()  # on a shared GPU even the question may be forbidden
    if name == "cuda" and not there:
        raise SettingsError("There is no GPU that PyTorch can use here: choose the device cpu or auto.")
    return torch.device("cuda" if there else "cpu")
