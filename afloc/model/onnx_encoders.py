"""The encoders as they run on a CPU: through ONNX Runtime, which mostly needs half of PyTorch's time there.

Each encoder is exported when it is first wanted, into a folder that the model's fingerprint names, and read
from there ever after. Beside it lies its SHA-256, for ONNX Runtime loads a damaged file too, and answers
wrongly: an export that does not match is made anew. PyTorch runs what cannot be exported or read, and what
it runs clearly faster on this machine, as was timed after the export: the answers are the same to within
rounding. Where all exports are there, the network itself is not even read: it and the package that its text
encoder comes from take seconds and 300 MB.
"""

import hashlib
import logging
import os
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from afloc.files import private_folder, whole_file
from afloc.model.config import ModelConfig
from afloc.model.image_encoder import ImageEncoder, ImageFeatures
from afloc.model.network import AFLoc
from afloc.model.text_encoder import TextEncoder, TextFeatures, embed_texts
from afloc.model.tokenizer import Tokens
from afloc.settings import read_setting

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_KEPT = 4  # models whose exported encoders stay on disk
_OPSET = 17  # the first with layer normalisation
_TEXT = "text"
_RUNS = 4  # of each runtime, when they are timed; the first runs are slow
_CLEARLY = 0.8  # of the other's time

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where exported encoders lie: AFLOC_CACHE_DIR, else AFLoc's folder of the user's cache.

    A user without a home, as in some containers, has a temporary one.
    """
    if chosen := read_setting("AFLOC_CACHE_DIR"):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "afloc"
    except RuntimeError:
        return private_folder("afloc-cache")


def is_exported(fingerprint: str, modalities: Iterable[str]) -> bool:
    """Whether a model's encoders lie in the cache: then they were exported from a network that loaded."""
    parts = (_export_folder(fingerprint) / f"{part}.onnx" for part in (_TEXT, *modalities))
    return all(
        part.is_file() and _checksum_file(part).is_file() and not _slower_mark(part).exists()
        for part in parts
    )


def _export_folder(fingerprint: str) -> Path:
    return cache_folder() / f"{fingerprint}-torch-{torch.__version__}"


class OnnxEncoders:
    """The two encoders of a network on the CPU, asked as the network itself is; safe between threads.

    `network` reads it, where something must be exported or cannot be.
    """

    def __init__(self, network: Callable[[], AFLoc], config: ModelConfig, fingerprint: str):
        self._network, self._max_tokens, self._modalities = network, config.max_tokens, config.modalities
        self._folder = _export_folder(fingerprint)
        self._sessions: dict = {}
        self._failed: set[str] = set()  # the parts of which the log says so
        self._lock = threading.Lock()

    def encode_images(self, pixels: Tensor, modality: str) -> ImageFeatures:
        """As `AFLoc.encode_images`."""
        session = self.session(modality)
        if session is None:
            return self._network().encode_images(pixels, modality)
        found = session.run(None, {"pixels": pixels.contiguous().numpy()})
        return ImageFeatures(*map(torch.from_numpy, found))

    def encode_texts(self, texts: list[Tokens]) -> TextFeatures:
        """As `AFLoc.encode_texts`."""
        session = self.session(_TEXT)
        if session is None:
            return self._network().encode_texts(texts)

        def sum_layers(ids: Tensor, mask: Tensor) -> Tensor:
            (pieces,) = session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})
            return torch.from_numpy(pieces)

        return embed_texts(texts, sum_layers, self._max_tokens)

    def session(self, part: str) -> "InferenceSession | None":
        """The ONNX Runtime session of "text" or of a modality's image encoder; None where there is none to be
        had."""
        with self._lock:
            if part not in self._sessions:
                self._sessions[part] = self._open(part)
            return self._sessions[part]

    def open_first(self) -> None:
        """Open what a first answer needs, as far as it is exported. It may be called beside other work: most
        of it needs no turn of Python's."""
        for part in (_TEXT, self._modalities[0]):
            if self._path(part).is_file():
                self.session(part)

    def export_all(self) -> None:
        """Export what is not exported yet, so that no first question has to wait for it."""
        for part in (_TEXT, *self._modalities):
            with self._lock:
                try:
                    if not _is_sound(self._path(part)):
                        self._export(part)
                except Exception as error:
                    self._warn(part, error)

    def _open(self, part: str) -> "InferenceSession | None":
        path = self._path(part)
        try:
            if _is_sound(path):
                with suppress(Exception):  # of another ONNX Runtime
                    session = _start_session(path)
                    with suppress(OSError):
                        os.utime(self._folder)
                    return None if _slower_mark(path).exists() else session
            elif path.exists():
                log.warning("The exported encoder %s does not match its checksum and is not used.", path.name)
            self._export(part)
            return None if _slower_mark(path).exists() else _start_session(path)
        except Exception as error:  # no package, no disk, an operator without a counterpart
            self._warn(part, error)
            return None

    def _warn(self, part: str, error: Exception) -> None:
        if part not in self._failed:
            self._failed.add(part)
            log.warning(
                "The encoder %s cannot be exported or read, so PyTorch runs it, which may be slower: %s: %s",
                part,
                type(error).__name__,
                error,
            )

    def _path(self, part: str) -> Path:
        return self._folder / f"{part}.onnx"

    def _export(self, part: str) -> None:
        network, path = self._network(), self._path(part)
        if part == _TEXT:
            exported = _exported_text(network.text_encoder)
        else:
            exported = _exported_images(cast(ImageEncoder, network.image_encoders[part]))
        self._folder.mkdir(parents=True, exist_ok=True)
        with whole_file(_checksum_file(path)) as checksum, whole_file(path) as written:
            with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
                warnings.simplefilter("ignore")
                _export(exported, written)
            if _is_slower(_start_session(written), exported):
                _slower_mark(path).touch()
            checksum.write_text(_checksum(written, path), encoding="utf-8")
        _forget_old(self._folder)


def _is_sound(path: Path) -> bool:
    """Whether an export is there and what was written for this model and part."""
    try:
        return _checksum_file(path).read_text(encoding="utf-8") == _checksum(path, path)
    except (OSError, UnicodeDecodeError):
        return False


def _checksum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _checksum(content: Path, path: Path) -> str:
    """The SHA-256 of `content` and the place it is for, so that no export passes for that of another model: a
    line that `sha256sum --check` reads in the cache folder."""
    with open(content, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{digest}  {path.parent.name}/{path.name}\n"


def _start_session(path: Path) -> "InferenceSession":
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # where it was imported before this package
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it would keep 56 MB more, and is no faster
    # Threads that spin when they are done would take a core from PyTorch, which computes the maps.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class _SumLayers(nn.Module):
    """`sum_layers`, with the vectors of the word pieces in half precision where nothing is lost by it. They
    are half of all weights, and a text needs a few of them."""

    def __init__(self, encoder: TextEncoder):
        super().__init__()
        self.encoder = encoder
        pieces = encoder.bert.embeddings.word_embeddings.weight.detach()
        half = pieces.half()
        self.pieces = half if torch.equal(half.float(), pieces) else pieces

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.encoder.sum_layers(functional.embedding(ids, self.pieces).float(), mask)


class _Features(nn.Module):
    def __init__(self, encoder: ImageEncoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.encoder(pixels)
        return features.shallow, features.deep, features.global_


@dataclass(frozen=True)
class _Exported:
    """What is exported: a module, an input for it, names of inputs and outputs with their free axes."""

    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: dict[str, dict[int, str]]
    outputs: dict[str, dict[int, str]]


def _exported_text(encoder: TextEncoder) -> _Exported:
    mask = torch.ones(2, 8, dtype=torch.bool)
    mask[1, 4:] = False  # the export records what happens to a mask that hides something
    sizes = {0: "texts", 1: "pieces"}
    return _Exported(
        _SumLayers(encoder), (mask.long(), mask), {"ids": sizes, "mask": sizes}, {"layers": sizes}
    )


def _exported_images(encoder: ImageEncoder) -> _Exported:
    # As large as the model's images: what is derived from the size is recorded as a number.
    pixels = torch.zeros(2, 3, encoder.image_size, encoder.image_size)
    count = {0: "images"}
    outputs = dict.fromkeys(("shallow", "deep", "global"), count)
    return _Exported(_Features(encoder), (pixels,), {"pixels": count}, outputs)


def _export(exported: _Exported, path: Path) -> None:
    # The exporter that traces: it takes a second; the one by `torch.export` takes twenty, for the same graph.
    torch.onnx.export(
        exported.module.eval(),
        exported.example,
        str(path),
        dynamo=False,
        opset_version=_OPSET,
        input_names=list(exported.inputs),
        output_names=list(exported.outputs),
        dynamic_axes=exported.inputs | exported.outputs,
    )


def _is_slower(session: "InferenceSession", exported: _Exported) -> bool:
    """Whether an export is clearly slower here than PyTorch, by the fastest of a few runs of each in turn."""
    given = {name: each.numpy() for name, each in zip(exported.inputs, exported.example, strict=True)}
    theirs, ours = [], []
    with torch.inference_mode():
        for _ in range(_RUNS):
            start = time.perf_counter()
            session.run(None, given)
            middle = time.perf_counter()
            exported.module(*exported.example)
            theirs.append(middle - start)
            ours.append(time.perf_counter() - middle)
    return min(ours) < _CLEARLY * min(theirs)


def _slower_mark(path: Path) -> Path:
    """The file beside an export that says that PyTorch is faster here."""
    return path.with_suffix(".slower")


def _forget_old(folder: Path) -> None:
    """Keep the folders of the models used last, `folder` among them."""
    others = (each for each in folder.parent.glob("*-torch-*") if each != folder)
    for old in sorted(others, key=lambda each: -each.stat().st_mtime)[_KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
