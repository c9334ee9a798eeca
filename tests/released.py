"""Write a checkpoint in the released AFLoc format, its weights drawn from the tensors' names and a seed."""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import torch

REFERENCE = Path(__file__).parent / "reference"


def draw_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Every tensor of the released network, by its released name."""
    shapes = json.loads((REFERENCE / "official_shapes.json").read_text())
    return {name: draw_tensor(name, shape, seed) for name, (shape, _) in shapes.items()}


def draw_tensor(name: str, shape: list[int], seed: int) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1000)
    if name.endswith("position_ids"):
        return torch.arange(shape[-1]).expand(shape).clone()
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    normal = random.standard_normal(shape).astype(np.float32)
    values = _scale(name, shape, normal)
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _scale(name: str, shape: list[int], normal: np.ndarray) -> np.ndarray:
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_var":
        return 1 + 0.2 * np.abs(normal)
    if leaf == "running_mean":
        return 0.1 * normal
    if len(shape) == 1:
        return 1 + 0.05 * normal if leaf == "weight" else 0.05 * normal
    if len(shape) == 4:
        return normal * np.sqrt(2 / np.prod(shape[1:]))
    return 0.5 * normal if "embeddings" in name else normal * np.sqrt(1 / shape[-1])


def released_config(bert: str):
    """The released OmegaConf config with `bert` as its text encoder."""
    from omegaconf import OmegaConf

    config = json.loads((REFERENCE / "official_config.json").read_text())
    config["model"]["text"]["bert_type"] = bert
    return OmegaConf.create(config)


def write_released(
    path: Path, state: dict, bert: str = "no/such-encoder", zipped: bool = True, **more
) -> Path:
    """Write a checkpoint, the text encoder's files in `bert/` beside it."""
    shutil.copytree(REFERENCE / "bert", path.parent / "bert", dirs_exist_ok=True)
    content = {
        "epoch": 3,
        "global_step": 1234,
        "state_dict": state,
        "hyper_parameters": released_config(bert),
    }
    torch.save(content | more, path, _use_new_zipfile_serialization=zipped)
    return path
