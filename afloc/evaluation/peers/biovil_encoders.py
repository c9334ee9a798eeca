"""BioViL-T (Bannur et al. 2023, arXiv 2301.04558), asked about one film, without an earlier one.

transformers has no such model and its repository brings code, which is not run: the two encoders are written
out here, for the published weights. The folder holds CXR-BERT (`config.json`, `vocab.txt`,
`model.safetensors`) and a ResNet-50. A projection takes the map of the ResNet-50 beside a learned vector that
stands for "no earlier film". The transformer that compares two films is not used.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from afloc.errors import ModelError
from afloc.imaging.geometry import bilinear
from afloc.model.files.checkpoint import read_safetensors
from afloc.model.files.released_checkpoint import read_weights, torchvision_name
from afloc.model.files.torch_pickle import Container
from afloc.model.tokenizer import WordPieceTokenizer

TYPE = "cxr-bert"  # as its config.json has it
IMAGE_WEIGHTS = "biovil_t_image_model_proj_size_128.pt"
FILES = (
    *("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json"),
    *("model.safetensors", IMAGE_WEIGHTS),
)
SIZE = 448  # of the square it sees, the middle of
_SHORT_SIDE = 512
_CELLS = 14
_SIGMA = 1.5  # cells, of the Gaussian over its maps
_FINER = 4  # points a cell and axis in the map on the image, so that the edge of what was seen stays sharp
_JOINT, _STATIC = 128, 256  # dimensions of the joint space, and of what is seen of one film


class ImageEncoder(nn.Module):
    """Pixels (B, 3, 448, 448), 0 … 1, to the features of each cell, (B, 128, 14, 14), in the texts' space."""

    def __init__(self):
        from transformers import ResNetConfig, ResNetModel

        super().__init__()
        self.resnet = ResNetModel(ResNetConfig(layer_type="bottleneck"))
        self.narrow = nn.Conv2d(2048, _STATIC, 1, bias=False)
        self.no_earlier_film = nn.Parameter(torch.zeros(1, _STATIC, 1, 1))
        self.projection = nn.Sequential(
            nn.Conv2d(2 * _STATIC, _JOINT, 1, bias=False),
            nn.BatchNorm2d(_JOINT),
            nn.ReLU(),
            nn.Conv2d(_JOINT, _JOINT, 1),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        static = self.narrow(self.resnet(pixels).last_hidden_state)
        change = self.no_earlier_film.expand_as(static)
        return self.projection(torch.cat([static, change], 1))


class ProjectionHead(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.dense_to_hidden = nn.Linear(width, _JOINT)
        self.LayerNorm = nn.LayerNorm(_JOINT, eps=1e-12)
        self.dense_to_output = nn.Linear(_JOINT, _JOINT)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense_to_output(self.LayerNorm(functional.gelu(self.dense_to_hidden(x))))


class TextEncoder(nn.Module):
    """CXR-BERT without its language model: word pieces to (B, 128), what the head makes of [CLS]."""

    def __init__(self, config):
        from transformers import BertModel

        super().__init__()
        self.bert = BertModel(config, add_pooling_layer=False)
        self.cls_projection_head = ProjectionHead(config.hidden_size)

    def forward(self, texts: list[tuple[int, ...]]) -> Tensor:
        device = self.cls_projection_head.LayerNorm.weight.device
        ids = pad_sequence([torch.tensor(text) for text in texts], batch_first=True).to(device)
        mask = pad_sequence([torch.ones(len(text), dtype=torch.long) for text in texts], batch_first=True).to(
            device
        )
        return self.cls_projection_head(self.bert(ids, mask).last_hidden_state[:, 0])


class Encoders(nn.Module):
    """Both encoders, in evaluation mode; `config` is that of the text encoder."""

    def __init__(self, folder: Path):
        """Read the published files; ModelError, one sentence, names what is missing or does not fit."""
        for name in ("config.json", "model.safetensors", IMAGE_WEIGHTS):
            if not (folder / name).is_file():
                raise ModelError(f"The model folder {folder} has no {name}, which BioViL-T needs.")
        super().__init__()
        self.text = _build_text_encoder(folder / "config.json")
        self.config = self.text.bert.config
        self.text.load_state_dict(read_safetensors(folder / "model.safetensors", self.text), assign=True)
        with torch.device("meta"):  # without memory for weights that are replaced
            self.image = ImageEncoder()
        with Container(folder / IMAGE_WEIGHTS) as container:
            state = container.tree if isinstance(container.tree, dict) else {}
            weights = read_weights(container, state, self.image, published_name)
        self.image.load_state_dict(weights, assign=True)
        limits = self.config.max_position_embeddings, self.config.vocab_size
        self.tokenizer = WordPieceTokenizer.read(folder, *limits)
        self.eval()

    def encode_texts(self, texts: list[str]) -> Tensor:
        """(B, 128); marks at the end of a text are dropped, as in the released code."""
        return self.text([self.tokenizer(text.rstrip("!?.")).ids for text in texts])


def published_name(name: str) -> str:
    """What a tensor of ImageEncoder is called in the published weights."""
    module, dot, rest = name.partition(".")
    theirs = {
        "resnet": "encoder.encoder",
        "narrow": "encoder.backbone_to_vit",
        "no_earlier_film": "encoder.missing_previous_emb",
        "projection": "projector.model",
    }
    return theirs[module] + dot + torchvision_name(rest)


def stretch(gray: np.ndarray) -> np.ndarray:
    """A uint8 picture from its darkest to its brightest pixel, uint8, fractions dropped."""
    low, high = float(gray.min()), float(gray.max())
    table = np.maximum(np.arange(256.0) - low, 0) / max(high - low, 1) * 255
    return np.minimum(table, 255).astype(np.uint8)[gray]


def crop(gray: np.ndarray) -> np.ndarray:
    """The part of a uint8 (H, W) picture that the model sees, uint8 (448, 448): the middle square, seven
    eighths of the short side."""
    (height, top), (width, left) = _scaled(gray.shape)
    y, x = gray.shape[0] / height, gray.shape[1] / width
    box = (left * x, top * y, (left + SIZE) * x, (top + SIZE) * y)
    return np.asarray(Pillow.fromarray(gray).resize((SIZE, SIZE), Pillow.Resampling.BILINEAR, box))


def lay_on_image(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    """A (14, 14) map of the square that `crop` cuts out, smoothed, over the whole image: float32 (rows,
    columns).

    Outside the square, which the model does not see, the map has its lowest value.
    """
    smooth = ndimage.gaussian_filter(cells, _SIGMA, mode="reflect")
    axes = zip((height, width), _scaled((height, width)), strict=True)
    rows, columns = (_cell_positions(side, *axis) for side, axis in axes)
    seen = _inside(rows)[:, None] & _inside(columns)
    return np.where(seen, bilinear(smooth, rows, columns), smooth.min()).astype(np.float32)


def _scaled(shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Of height and width: its length where the short side is 512, and where in it the square begins."""
    lengths = [_SHORT_SIDE * side // min(shape) for side in shape]
    rows, columns = ((length, round((length - SIZE) / 2)) for length in lengths)
    return rows, columns


def _cell_positions(side: int, length: int, start: int) -> np.ndarray:
    """Fractional indices into the cells of points along the whole image, no more than it has pixels."""
    cell = SIZE / _CELLS
    count = min(round(_FINER * length / cell), side)
    return ((np.arange(count) + 0.5) * length / count - start) / cell - 0.5


def _inside(positions: np.ndarray) -> np.ndarray:
    return (positions >= -0.5) & (positions <= _CELLS - 0.5)


def _build_text_encoder(path: Path) -> TextEncoder:
    from transformers import BertConfig

    try:
        return TextEncoder(BertConfig.from_dict(json.loads(path.read_text(encoding="utf-8"))))
    except Exception as error:  # whatever a foreign config makes transformers raise
        reason = str(error).strip().split("\n")[0][:120]
        raise ModelError(f"The text encoder of {path} cannot be built ({reason}).") from None
