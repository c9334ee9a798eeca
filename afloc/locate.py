"""Encode an image once, then ask for any number of findings in it.

model = load_model()
view = model.encode(read_image("film.dcm"))
finding = view.locate("small left pleural effusion")
"""

import math
import threading
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import numpy as np
import torch
from torch.nn import functional

from afloc import paper
from afloc.appearance import features_fit, looks_like
from afloc.cache import ByteCache
from afloc.errors import DescriptionError, ModelError, SettingsError
from afloc.findings import MODALITIES, find_subject, load_findings, sentence_for_label
from afloc.geometry import Letterbox
from afloc.heatmap import Region, enlarge, find_regions
from afloc.images import Image
from afloc.lent_gpu import encode_on_lent_gpu, is_lent
from afloc.modality import recognise_modality
from afloc.model.afloc import AFLoc
from afloc.model.checkpoint import Checkpoint, load_checkpoint
from afloc.model.image_encoder import ImageFeatures, normalise
from afloc.model.runtime import OnnxEncoders
from afloc.model.similarity import TextVectors, text_vectors
from afloc.model.text_encoder import TextFeatures
from afloc.model.tokenizer import Tokens
from afloc.native import judge_presence, native_map, operating_point, score_logits
from afloc.text import clean_text
from afloc.words import Word, affirmed_part, affirms, weigh_words

PROTOCOLS = ("native", "paper")
IMAGE_CACHE_BYTES = 64 * 2**20
TEXT_CACHE_BYTES = 16 * 2**20
TENSOR_BYTES = 512  # what a tensor takes besides its numbers, which of a short text is most of it

_TEXTS_AT_ONCE = 16
_LEFT_GPU = "The GPU has no memory left: this is computed on the CPU, more slowly."
_NOT_FINITE = (
    "The model computed something that is not a number, so there is no answer: "
    "its files may be damaged, so fetch them or make them anew."
)

Features = TypeVar("Features", ImageFeatures, TextFeatures)


@dataclass(frozen=True, eq=False)
class Finding:
    """The answer to one description of one image.

    `score`: 0 … 1, rises with the fit of the whole description. `probability` (0 … 1), `present` and
    `operating_point`, the probability from which on it is, come from the model's calibration and are None
    without one. `grid`: float32 (rows, columns), 0 … 1 on a fixed scale, covers exactly the image; it is
    never gated by `present`. `height`, `width`: of `heatmap`, those of the image. `warning`: a sentence on
    what the answer leaves out.

    Under protocol `paper`, `score` is the raw cosine, and `grid` and `heatmap` are the published map: (224,
    224) over the letterboxed square, -1 … 1, NaN in the margin; `letterbox` leads back to the image.

    Every number but that margin is finite: ModelError where a model computes anything else.
    """

    text: str
    score: float
    probability: float | None
    present: bool | None
    grid: np.ndarray = field(repr=False)
    height: int
    width: int
    operating_point: float | None = None
    warning: str | None = None
    letterbox: Letterbox | None = field(default=None, repr=False)

    def __post_init__(self):
        inside = self.grid if self.letterbox is None else paper.inside(self.grid)
        numbers = self.score, 0.0 if self.probability is None else self.probability
        if not (np.isfinite(inside).all() and all(map(math.isfinite, numbers))):
            raise ModelError(_NOT_FINITE)

    @cached_property
    def heatmap(self) -> np.ndarray:
        """The map at full size, float32 (height, width)."""
        return self.grid if self.letterbox else enlarge(self.grid, self.height, self.width)

    def regions(self, threshold: float = 0.5) -> tuple[Region, ...]:
        """The connected parts of the map from `threshold` up, in pixels of the image, strongest first."""
        regions = find_regions(self.heatmap, threshold)
        if self.letterbox is None:
            return regions
        return tuple(filter(None, (_region_on_image(region, self.letterbox) for region in regions)))

    def evidence(self) -> np.ndarray:
        """The map as it is painted over the image: float32 0 … 1, covering exactly the image."""
        if self.letterbox is None:
            return self.heatmap
        return self.letterbox.crop(np.nan_to_num((self.heatmap + 1) / 2))


class View:
    """An image as the model sees it, ready for questions. Made by `Model.encode`."""

    def __init__(self, model: "Model", image: Image, modality: str, protocol: str, features: ImageFeatures):
        self.image = image
        self.modality = modality
        self.protocol = protocol
        self._model = model
        self._features = features

    def locate(self, description: str) -> Finding:
        """Score and map of one description; DescriptionError where it holds no word."""
        return self.locate_all([description])[0]

    def locate_all(self, descriptions: Iterable[str]) -> list[Finding]:
        """Score and map of each description, in their order; their texts are encoded together."""
        descriptions = list(descriptions)
        answer = self._answer_paper if self.protocol == "paper" else self._answer_native
        findings = []
        for text, (finding, warning) in zip(descriptions, answer(descriptions), strict=True):
            warning = " ".join(filter(None, (warning, self._place_warning(text), self._model.notice))) or None
            findings.append(replace(finding, warning=warning))
        return findings

    @property
    def embedding(self) -> np.ndarray:
        """The image as one vector of length 1, float32 (D,), in the space of the descriptions."""
        return functional.normalize(self._features.global_[0].float(), dim=0).cpu().numpy()

    @cached_property
    def doubt(self) -> str | None:
        """Why the model may not know images like this, one sentence; None where nothing speaks for it."""
        known = (self._model.calibration(self.modality) or {}).get("known")
        vector = self._features.global_[0].cpu().numpy()
        if looks_like(self.image, self.modality) and features_fit(vector, known):
            return None
        kind = self.modality.replace("_", " ")
        return f"This does not look like the {kind} images the model knows, so its answers may mean nothing."

    @torch.inference_mode()
    def words(self, finding: Finding) -> list[Word]:
        """What each word of a finding's description has for a map of its own; none under protocol `paper`."""
        if self.protocol == "paper":
            return []
        model = self._model
        tokens, _ = model.read_text(finding.text)
        (features,) = model.encode_texts([tokens])
        letterbox = Letterbox.fit(self.image.height, self.image.width, model.side(self.modality))
        pieces = model.tokenizer.split(normalise_text(finding.text))
        calibration = model.calibration(self.modality)
        return weigh_words(pieces, self._features, features, calibration, letterbox, finding.grid)

    def classify(self, findings: Iterable[str] | None = None) -> list[Finding]:
        """Ask for each of `findings` (names or labels of the findings list, or descriptions).

        Without them, for every pathology of the image's modality, in the order of the list. `Finding.text`
        is the sentence asked.
        """
        if findings is None:
            return self.locate_all(e.simple for e in load_findings(self.modality).values() if not e.normal)
        return self.locate_all(sentence_for_label(name, self.modality) for name in findings)

    @torch.inference_mode()
    def _answer_native(self, descriptions: list[str]) -> list[tuple[Finding, str | None]]:
        """A finding for each description, and what its text leaves unread."""
        descriptions = [clean_text(text) for text in descriptions]
        parts = [affirmed_part(text, self.modality) for text in descriptions]  # what has a place on the map
        read = [self._model.read_text(text) for text in descriptions]
        placed = [
            tokens if part == text else self._model.read_text(part)[0]
            for text, part, (tokens, _) in zip(descriptions, parts, read, strict=True)
        ]
        texts = list(dict.fromkeys([*(tokens for tokens, _ in read), *placed]))
        vectors = dict(zip(texts, map(text_vectors, self._model.encode_texts(texts)), strict=True))
        return [
            (self._native_finding(text, vectors[tokens], vectors[place], affirms(part)), warning)
            for text, part, (tokens, warning), place in zip(descriptions, parts, read, placed, strict=True)
        ]

    def _native_finding(self, text: str, whole: TextVectors, place: TextVectors, affirmed: bool) -> Finding:
        calibration = self._model.calibration(self.modality)
        height, width = self.image.height, self.image.width
        letterbox = Letterbox.fit(height, width, self._model.side(self.modality))
        square = native_map(self._features, place, calibration)
        logit = score_logits(self._features, whole, place if affirmed else None, calibration)
        score = float(logit.sigmoid())
        point = operating_point(text, self.modality, calibration)
        probability, present = judge_presence(score, point)
        threshold = point and point["threshold"]
        return Finding(text, score, probability, present, letterbox.crop(square), height, width, threshold)

    @torch.inference_mode()
    def _answer_paper(self, descriptions: list[str]) -> list[tuple[Finding, str | None]]:
        """The same, by the rules of the released code."""
        read = [self._model.read_paper_text(text) for text in descriptions]
        features = self._model.encode_texts([tokens for tokens, _ in read])
        return [
            (self._paper_finding(clean_text(text), each), warning)
            for text, each, (_, warning) in zip(descriptions, features, read, strict=True)
        ]

    def _paper_finding(self, text: str, features: TextFeatures) -> Finding:
        letterbox = Letterbox.paper(self.image.height, self.image.width, paper.SIZE)
        report = features.report[0]
        heatmap = paper.similarity_map(self._features.deep[0], report)
        score = paper.cosine(self._features.global_[0], report)
        return Finding(text, score, None, None, heatmap, paper.SIZE, paper.SIZE, letterbox=letterbox)

    def _place_warning(self, text: str) -> str | None:
        if self.modality not in self._model.modalities:
            return f"This model was not trained on {self.modality.replace('_', ' ')} images."
        entry = find_subject(text, self.modality)
        if entry and entry.id in (self._model.calibration(self.modality) or {}).get("unplaced", ()):
            left = "" if entry.family == "structure" else ": read the verdict only"
            return f"This model's maps of {entry.name} do not find the place{left}."
        return None


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
        self.fingerprint = checkpoint.fingerprint()
        self.device = device
        self.notice: str | None = None
        self.tokenizer = checkpoint.tokenizer
        self.network = checkpoint.network.to(device=device, memory_format=torch.channels_last).eval()
        self.encoders = self._fastest_encoders()
        self.images: ByteCache[ImageFeatures] = ByteCache(image_cache_bytes, _bytes_of)
        self.texts: ByteCache[TextFeatures] = ByteCache(text_cache_bytes, _bytes_of)
        self._image_turn = threading.Lock()
        self._text_turn = threading.Lock()

    def encode(self, image: Image, modality: str | None = None, protocol: str = "native") -> View:
        """Look at an image; the same image again costs nothing while it is remembered.

        `modality` is recognised unless given. SettingsError for a modality or protocol that does not exist.
        """
        if protocol not in PROTOCOLS:
            raise SettingsError(f"The protocol must be one of {', '.join(PROTOCOLS)}, not {protocol!r}.")
        if modality is not None and modality not in MODALITIES:
            raise SettingsError(f"The modality must be one of {', '.join(MODALITIES)}, not {modality!r}.")
        modality = modality or recognise_modality(image)
        gray = modality == "chest_xray" or (protocol == "paper" and self.config.released)
        encoder = self._encoder_for(modality)
        key = (image.digest, encoder, gray, protocol)
        features = self.images.get(key)
        if features is None:
            with self._image_turn:
                features = self.images.get(key)
                if features is None:
                    features = self._encode_image(image, encoder, gray, protocol)
                    self.images.put(key, features)
        return View(self, image, modality, protocol, features)

    def side(self, modality: str) -> int:
        """Pixels a side of the square in which an image of `modality` is seen."""
        return self.config.side(self._encoder_for(modality))

    def _encoder_for(self, modality: str) -> str:
        return modality if modality in self.modalities else self.modalities[0]

    def calibration(self, modality: str) -> dict | None:
        """What turns this model's cosines into maps and verdicts on images of `modality`, if it has that."""
        return (self.config.calibration or {}).get(modality)

    def encode_texts(self, texts: Iterable[Tokens]) -> list[TextFeatures]:
        """The embeddings of each text, each a batch of one, in their order."""
        texts = list(texts)
        found = {text: self.texts.get(text) for text in texts}
        if None in found.values():
            with self._text_turn:
                missing = []
                for text in found:
                    found[text] = found[text] or self.texts.get(text)  # another thread may have been faster
                    if found[text] is None:
                        missing.append(text)
                missing.sort(key=lambda text: len(text.ids))
                for start in range(0, len(missing), _TEXTS_AT_ONCE):
                    found.update(self._encode_texts(missing[start : start + _TEXTS_AT_ONCE]))
        return [found[text] for text in texts]

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
        network = self.network
        if is_lent():
            return SimpleNamespace(
                encode_images=encode_on_lent_gpu(network), encode_texts=network.encode_texts
            )
        return OnnxEncoders(network, self.fingerprint) if self.device.type == "cpu" else network

    @torch.inference_mode()
    def _encode_image(self, image: Image, encoder: str, gray: bool, protocol: str) -> ImageFeatures:
        size = self.config.side(encoder)
        if protocol == "paper" and gray:
            square = paper.prepare_image(image, size)
        else:
            fit = Letterbox.paper if protocol == "paper" else Letterbox.fit
            square = fit(image.height, image.width, size).image(image.gray() if gray else image.rgb())
        pixels = normalise(square[None], self.config.normalisation)

        def encode() -> ImageFeatures:
            batch = pixels.to(self.device).contiguous(memory_format=torch.channels_last)
            return self.encoders.encode_images(batch, encoder)

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
            self.texts.put(text, features)
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
            raise ModelError(_NOT_FINITE)
        return features


def load_model(
    source: str | Path | None = None,
    device: str = "auto",
    image_cache_bytes: int = IMAGE_CACHE_BYTES,
    text_cache_bytes: int = TEXT_CACHE_BYTES,
) -> Model:
    """Load a model: None for the embedded one, a model folder, a released `.ckpt`, or "hf:owner/name".

    `device`: "auto" (a GPU if there is one), "cpu" or "cuda". Raises ModelError, one sentence, where it
    cannot.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise SettingsError(f"The device must be auto, cpu or cuda, not {device!r}.")
    if is_lent():
        device = "cpu"  # but for what `encode_on_lent_gpu` takes to the GPU
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("There is no GPU that PyTorch can use here: choose the device cpu or auto.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Model(load_checkpoint(source), torch.device(device), image_cache_bytes, text_cache_bytes)


def normalise_text(description: str) -> str:
    """A description in composed characters (NFKC), without control and invisible ones, single spaces
    between."""
    text = unicodedata.normalize("NFKC", description)
    text = "".join(_visible(character) for character in text)
    return " ".join(text.split())


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # soft hyphens and joiners stand inside words
        return ""
    return " " if category[0] == "C" else character


def _region_on_image(region: Region, letterbox: Letterbox) -> Region | None:
    x, y, width, height = letterbox.unbox((region.x, region.y, region.width, region.height))
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, letterbox.width), min(y + height, letterbox.height)
    if right <= left or bottom <= top:
        return None
    return Region(left, top, right - left, bottom - top, region.score)


def _bytes_of(features: ImageFeatures | TextFeatures) -> int:
    return sum(tensor.nbytes + TENSOR_BYTES for tensor in vars(features).values())
