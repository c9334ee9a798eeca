"""A model: encode an image once, then ask for any number of findings in it.

model = load_model()
view = model.encode(read_image("film.dcm"))
finding = view.locate("small left pleural effusion")
"""

import threading
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import torch
from torch import Tensor

from afloc.errors import DescriptionError, ModelError, SettingsError
from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import Image
from afloc.inference import paper_protocol as paper
from afloc.inference.cache import ByteCache
from afloc.inference.finding import NOT_FINITE
from afloc.inference.modality import modality_of
from afloc.inference.orientation import complete_orientation
from afloc.inference.picture import Picture
from afloc.inference.view import View
from afloc.inference.zero_gpu import encode_on_zero_gpu, on_zero_gpu
from afloc.language.modalities import MODALITIES
from afloc.model.calibration import UNCALIBRATED, Calibration
from afloc.model.device import choose_device
from afloc.model.files.checkpoint import Checkpoint, load_checkpoint
from afloc.model.image_encoder import ImageFeatures, normalise, seen_turned
from afloc.model.network import AFLoc
from afloc.model.onnx_encoders import OnnxEncoders
from afloc.model.text_encoder import TextFeatures
from afloc.model.tokenizer import Tokens
from afloc.text import normalise_text

PROTOCOLS = ("native", "paper")
IMAGE_CACHE_BYTES = 64 * 2**20
TEXT_CACHE_BYTES = 16 * 2**20
TENSOR_BYTES = 512  # of a tensor besides its numbers; most of the memory that a short text takes

_TEXTS_AT_ONCE = 16
_LEFT_GPU = "The GPU has no memory left: this is computed on the CPU, more slowly."


Features = TypeVar("Features", ImageFeatures, TextFeatures)


class Model:
    """A model and what it has seen lately; safe to share between threads.

    `name`, `card` (its README), `fingerprint` (12 hexadecimal digits that stand for weights, tokenizer and
    config), `modalities`.
    Embeddings of images (by content) and of texts are kept, each within a memory budget in bytes. A GPU whose
    memory runs out is left for good, for the CPU; `notice` then says so, as does every finding's warning.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        image_cache_bytes: int = IMAGE_CACHE_BYTES,
        text_cache_bytes: int = TEXT_CACHE_BYTES,
    ):
        self.config = checkpoint.config
        self.name = self.config.name
        self.card = checkpoint.card
        self.modalities = self.config.modalities
        self.fingerprint = checkpoint.fingerprint
        self.device = device
        self.notice: str | None = None
        self.tokenizer = checkpoint.tokenizer
        self._checkpoint = checkpoint
        self._network: AFLoc | None = None
        self._network_turn = threading.Lock()
        self.encoders = self._fastest_encoders()
        self.images: ByteCache[ImageFeatures] = ByteCache(image_cache_bytes, _bytes_of_image)
        self.texts: ByteCache[TextFeatures] = ByteCache(text_cache_bytes, _bytes_of)
        self._alone: dict[Tokens, TextFeatures] = {}
        self._image_turn = threading.Lock()
        self._text_turn = threading.Lock()

    @property
    def network(self) -> AFLoc:
        """The network on `device`. A CPU seldom needs it, as the exported encoders run there; it is read when
        it is needed."""
        with self._network_turn:
            if self._network is None:
                network: AFLoc = self._checkpoint.network
                self._network = network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub lacks memory_format
            return self._network

    def prepare(self) -> None:
        """Do what the first question of each modality would wait for: on a new machine it takes seconds."""
        if isinstance(self.encoders, OnnxEncoders):
            self.encoders.export_all()

    def open_encoders(self) -> None:
        """Open what a first answer needs; see `OnnxEncoders.open_first`."""
        if isinstance(self.encoders, OnnxEncoders):
            self.encoders.open_first()

    def encode(self, image: Image, modality: str | None = None, protocol: str = "native") -> View:
        """Look at an image; the same image again costs nothing while it is remembered.

        `modality` is recognised unless given. A film whose file says that it is mirrored is turned back
        before it is encoded, but not under protocol `paper`, which knows of no such thing. SettingsError for
        a modality or protocol that does not exist.
        """
        if protocol not in PROTOCOLS:
            raise SettingsError(f"The protocol must be one of {', '.join(PROTOCOLS)}, not {protocol!r}.")
        if modality is not None and modality not in MODALITIES:
            raise SettingsError(f"The modality must be one of {', '.join(MODALITIES)}, not {modality!r}.")
        picture = Picture(image)
        modality = modality or modality_of(picture)
        orientation = complete_orientation(image.orientation, MODALITIES[modality])
        mirrored = orientation.mirrored and protocol != "paper"
        if mirrored:
            picture = picture.mirrored()
        gray = MODALITIES[modality].grayscale or (protocol == "paper" and self.config.released)
        encoder = self._encoder_for(modality)
        key = (image.digest, mirrored, encoder, gray, protocol)
        features = self.images.get(key)
        if features is None:
            with self._image_turn:
                features = self.images.get(key)
                if features is None:
                    features = self._encode_image(picture.shown, encoder, gray, protocol)
                    self.images.put(key, features)
        return View(self, image, modality, protocol, features, picture, orientation, mirrored)

    def side(self, modality: str) -> int:
        """Pixels a side of the square in which an image of `modality` is seen."""
        return self.config.side(self._encoder_for(modality))

    def _encoder_for(self, modality: str) -> str:
        return modality if modality in self.modalities else self.modalities[0]

    def calibration(self, modality: str) -> Calibration:
        """What turns this model's cosines into maps and verdicts on images of `modality`."""
        return (self.config.calibration or {}).get(modality, UNCALIBRATED)

    def encode_texts(self, texts: Iterable[Tokens]) -> list[TextFeatures]:
        """The embeddings of each text, each a batch of one, in their order."""
        texts = list(texts)
        found: dict[Tokens, Any] = {text: self._kept(text) for text in texts}
        if None in found.values():
            with self._text_turn:
                missing = []
                for text in found:
                    found[text] = found[text] or self._kept(text)  # another thread may have been faster
                    if found[text] is None:
                        missing.append(text)
                missing.sort(key=lambda text: len(text.ids))
                for start in range(0, len(missing), _TEXTS_AT_ONCE):
                    encoded = self._encode_texts(missing[start : start + _TEXTS_AT_ONCE])
                    found |= encoded
                    for text, features in encoded.items():
                        self.texts.put(text, features)
        return [found[text] for text in texts]

    def encode_alone(self, texts: Iterable[Tokens]) -> list[TextFeatures]:
        """As `encode_texts`, each encoded on its own: to the last digit the same, whatever it is asked with,
        for the rounding of an embedding depends on what else is in its batch. For the few sentences that ask
        for the listed findings: they are kept for good."""
        texts = list(texts)
        for text in texts:
            if text not in self._alone:
                with self._text_turn:
                    if text not in self._alone:
                        self._alone |= self._encode_texts([text])
        return [self._alone[text] for text in texts]

    def _kept(self, text: Tokens) -> TextFeatures | None:
        return self._alone.get(text) or self.texts.get(text)

    def read_text(self, description: str) -> tuple[Tokens, str | None]:
        """Tokens of a description and a warning about what they leave out; DescriptionError for no word at
        all."""
        text = normalise_text(description)
        if not any(unicodedata.category(character)[0] in "LN" for character in text):
            raise DescriptionError("The description holds no word: type what to look for.")
        return self._tokenize(text)

    def read_paper_text(self, description: str) -> tuple[Tokens, str | None]:
        """As `read_text`, by the released code's rules where they apply to this model; nothing is refused."""
        if not self.config.released:
            return self._tokenize(normalise_text(description))
        text = paper.clean_text(description)
        tokens, warning = self._tokenize(text)
        if not text:
            warning = (
                "The published protocol drops every part of this text; its map is that of an empty text."
            )
        return tokens, warning

    def _tokenize(self, text: str) -> tuple[Tokens, str | None]:
        tokens = self.tokenizer(text)
        if tokens.cut:
            kept = len(tokens.ids) - 2
            return (
                tokens,
                f"The text is longer than the model reads; only its first {kept} word pieces count.",
            )
        if tokens.unknown and tokens.unknown == tokens.word_count - 2:
            return tokens, "The model knows none of these words, so its answer means nothing."
        return tokens, None

    def _fastest_encoders(self) -> AFLoc | OnnxEncoders | SimpleNamespace:
        """What has the network's `encode_images` and `encode_texts`, and runs them best here."""
        if on_zero_gpu():
            network = self.network
            return SimpleNamespace(
                encode_images=encode_on_zero_gpu(network), encode_texts=network.encode_texts
            )
        if self.device.type != "cpu":
            return self.network
        return OnnxEncoders(lambda: self.network, self.config, self.fingerprint)

    @torch.inference_mode()
    def _encode_image(self, image: Image, encoder: str, gray: bool, protocol: str) -> ImageFeatures:
        size = self.config.side(encoder)
        turned = protocol == "native" and self.calibration(encoder).turned
        if protocol == "paper" and gray:
            square = paper.prepare_image(image, size)
        else:
            fit = Letterbox.paper if protocol == "paper" else partial(Letterbox.fit, aspect=image.aspect)
            square = fit(image.height, image.width, size).image(image.gray() if gray else image.rgb())
        pixels = normalise(square[None], self.config.normalisation)

        def look(square: Tensor) -> ImageFeatures:
            batch = square.to(self.device).contiguous(memory_format=torch.channels_last)
            return self.encoders.encode_images(batch, encoder)

        def encode() -> ImageFeatures:
            return seen_turned(look, pixels) if turned else look(pixels)

        return self._on_cpu_if_need_be(encode)

    @torch.inference_mode()
    def _encode_texts(self, texts: list[Tokens]) -> dict[Tokens, TextFeatures]:
        batch = self._on_cpu_if_need_be(lambda: self.encoders.encode_texts(texts))
        encoded = {}
        for row, text in enumerate(texts):
            words, sentences = text.word_count, len(text.sentences) + 2
            features = TextFeatures(
                batch.words[row : row + 1, :, :words].clone(),
                batch.sentences[row : row + 1, :, :sentences].clone(),
                batch.report[row : row + 1].clone(),
                batch.word_mask[row : row + 1, :words].clone(),
                batch.sentence_mask[row : row + 1, :sentences].clone(),
            )
            encoded[text] = features
        return encoded

    def _on_cpu_if_need_be(self, encode: Callable[[], Features]) -> Features:
        """What `encode` computes, in the memory of the CPU, where maps and scores are computed from it;
        ModelError where it is not finite."""
        try:
            features = encode()
        except torch.cuda.OutOfMemoryError:
            self.device, self.notice = torch.device("cpu"), _LEFT_GPU
            self.network.to(self.device)
            features = encode()
        features = replace(features, **{name: tensor.cpu() for name, tensor in vars(features).items()})
        if not all(tensor.isfinite().all() for tensor in vars(features).values()):
            raise ModelError(NOT_FINITE)
        return features


def load_model(
    source: str | Path | None = None,
    device: str = "auto",
    image_cache_bytes: int = IMAGE_CACHE_BYTES,
    text_cache_bytes: int = TEXT_CACHE_BYTES,
) -> Model:
    """Load a model: None for the embedded one, a model folder, a released `.ckpt`, or "hf:owner/name".

    `device`: "auto" (a GPU if there is one), "cpu" or "cuda". Raises ModelError, one sentence, where it
    cannot; SettingsError for a device that is not there.
    """
    place = choose_device("cpu" if on_zero_gpu() else device)  # there only `encode_on_zero_gpu` uses the GPU
    return Model(load_checkpoint(source), place, image_cache_bytes, text_cache_bytes)


def _bytes_of(features: ImageFeatures | TextFeatures) -> int:
    return sum(getattr(features, part.name).nbytes + TENSOR_BYTES for part in fields(features))


def _bytes_of_image(features: ImageFeatures) -> int:
    return 2 * _bytes_of(features)  # with their units
