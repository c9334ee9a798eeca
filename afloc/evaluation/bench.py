"""`python -m afloc bench`: how fast answers come, beside the released pipeline with the same weights.

Two models: the embedded one (or that of `--model`), and one of the published size (ResNet-50 at 299 pixels,
BERT-base) whose weights are random. In every run an answer of ours is followed by one of the naive path.
Ours is all that the page shows of an answer: the doubt about the image, the finding, a map for each word and
the remarks. The naive path is what the released code does for an image and a text: it runs both encoders, in
PyTorch, with a batch of one and the text padded to 97 tokens. An image has 1024 x 1024 pixels and is in
memory, but for the film that is opened: a DICOM file with 3,000 x 2,500 pixels of 16 bits, which the naive
path is given read. A description has 8 to 12 tokens.
"""

import io
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from torch.nn import functional

from afloc.errors import ModelError
from afloc.imaging.image import Image, image_from_array, read_image
from afloc.inference import paper_protocol as paper
from afloc.inference.model import Model, load_model
from afloc.model.config import ModelConfig
from afloc.model.files.checkpoint import EMBEDDED, write_folder
from afloc.model.image_encoder import normalise
from afloc.model.network import AFLoc
from afloc.model.text_encoder import embed_texts
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.text import normalise_text

FILM_SIDE = 1024
RELEASED_TOKENS = 97
SOAK_DESCRIPTIONS, SOAK_IMAGES = 5000, 500


class Scenario(NamedTuple):
    """One run: how many new descriptions (0: the seen one), asked of a new image or of the seen one.

    `opened`: the new image is read from a DICOM file.
    """

    title: str
    new_descriptions: int
    new_image: bool
    opened: bool = False


SCENARIOS = {
    "new_description_seen_image": Scenario("new description, seen image", 1, False),
    "new_description_new_image": Scenario("new description, new image", 1, True),
    "seen_description_new_image": Scenario("seen description, new image", 0, True),
    "both_seen": Scenario("both seen", 0, False),
    "batch_three_descriptions": Scenario("three new descriptions of a new image", 3, True),
    "new_description_opened_film": Scenario("new description, film opened (DICOM)", 1, True, opened=True),
}

_WORDS = (
    ("small", "large", "subtle", "dense", "mild", "new", "old", "faint"),
    ("vague", "round", "linear", "diffuse", "focal", "irregular"),
    ("opacity", "mass", "lesion", "shadow", "scar", "density", "fluid", "air", "fibrosis", "collapse"),
    ("in the left", "in the right"),
    ("upper zone", "middle zone", "lower zone", "lung base", "lung apex", "chest wall"),
)


@dataclass(frozen=True)
class Timing:
    """Milliseconds of each run: ours, and the naive path's beside it."""

    ours: list[float]
    naive: list[float]

    def figures(self) -> dict[str, float]:
        return {
            "p50_ms": round(float(np.median(self.ours)), 2),
            "p95_ms": round(float(np.percentile(self.ours, 95)), 2),
            "ratio": round(float(np.median(self.naive) / np.median(self.ours)), 2),
        }


def descriptions() -> Iterator[str]:
    """5,760 different descriptions of 8 to 12 tokens."""
    texts = [" ".join(words) for words in itertools.product(*_WORDS)]
    random.Random(0).shuffle(texts)
    return iter(texts)


def films(side: int = FILM_SIDE) -> Iterator[Image]:
    """Different gray images, without end."""
    noise = np.random.default_rng(0)
    while True:
        yield image_from_array(noise.integers(0, 256, (side, side), np.uint8))


def film_files(height: int = 3000, width: int = 2500) -> Iterator[bytes]:
    """Different gray DICOM files of 16 bits, without end."""
    noise = np.random.default_rng(0)
    coarse = (-(-height // 20), -(-width // 20))  # a film is smooth
    while True:
        values = np.kron(noise.integers(0, 4000, coarse, np.uint16), np.ones((20, 20), np.uint16))
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = (
            DigitalXRayImageStorageForPresentation
        )
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
        dataset.Modality, dataset.PhotometricInterpretation = "DX", "MONOCHROME2"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = height, width, 1
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = (
            16,
            12,
            11,
            0,
        )
        dataset.PixelData = values[:height, :width].tobytes()
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        yield file.getvalue()


class NaivePath:
    """The released pipeline's steps for one image and text, with a model's weights. It caches nothing."""

    def __init__(self, model: Model):
        self._model = model
        self._modality = model.modalities[0]

    @torch.no_grad()
    def __call__(self, image: Image, description: str) -> np.ndarray:
        """The published map, float32 (224, 224)."""
        config, network = self._model.config, self._model.network
        square = paper.prepare_image(image, config.side(self._modality))
        features = network.encode_images(normalise(square[None], config.normalisation), self._modality)
        tokens = self._model.tokenizer(normalise_text(description))
        report = embed_texts([tokens], self._sum_padded, config.max_tokens, self._model.device).report[0]
        paper.cosine(features.global_[0], report)
        return paper.similarity_map(features.deep[0], report)

    def _sum_padded(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        missing = (0, max(0, RELEASED_TOKENS - ids.shape[1]))
        layers = self._model.network.text_encoder.sum_layers(
            functional.pad(ids, missing), functional.pad(mask, missing)
        )
        return layers[:, : ids.shape[1]]


def answer(model: Model, image: Image, asked: list[str]) -> None:
    """All that the page shows of the answers to some descriptions of an image."""
    view = model.encode(image)
    _ = view.doubt
    for finding in view.locate_all(asked):
        view.remarks(finding, view.words(finding))


def time_model(model: Model, runs: int, say: Callable[[str], None] = lambda _: None) -> dict[str, dict]:
    """Figures of each of SCENARIOS over `runs` paired runs."""
    naive, texts, images, files = NaivePath(model), descriptions(), films(), film_files()
    seen_text, seen_image = next(texts), next(images)
    answer(model, read_image(next(files)), [seen_text])  # and everything is loaded
    answer(model, seen_image, [seen_text, *itertools.islice(texts, 3)])
    naive(seen_image, seen_text)

    figures = {}
    for name, scenario in SCENARIOS.items():
        say(f"{model.name}: {scenario.title}")
        timing = Timing([], [])
        for _ in range(runs):
            file = next(files) if scenario.opened else None
            image = next(images) if scenario.new_image else seen_image
            asked = list(itertools.islice(texts, scenario.new_descriptions)) or [seen_text]
            start = time.perf_counter()
            if file is not None:
                image = read_image(file)
            answer(model, image, asked)
            middle = time.perf_counter()
            for text in asked:
                naive(image, text)
            timing.naive.append(1000 * (time.perf_counter() - middle))
            timing.ours.append(1000 * (middle - start))
        figures[name] = timing.figures()
    return figures


def write_published_size(folder: Path) -> None:
    """A model folder of the published size, its weights random."""
    bert = {
        "vocab_size": 30522,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
    }
    config = ModelConfig(
        name="published size",
        version="random",
        backbone="resnet50",
        image_size=224,
        encoder_size=299,
        normalisation="half",
        text_encoder=bert,
        last_n_layers=4,
        embedding_dim=768,
        max_tokens=RELEASED_TOKENS,
        modalities=("chest_xray",),
    )
    torch.manual_seed(0)
    tokenizer = WordPieceTokenizer.read(EMBEDDED, config.max_tokens, bert["vocab_size"])
    write_folder(folder, AFLoc(config), tokenizer, "", half=True)


def cold_start(source: str | Path | None, device: str, soak: bool = False) -> dict[str, float]:
    """A fresh process whose encoders are not exported yet: seconds to its first heatmap, and its peak of MB.

    With `soak` also `growth_percent`: how much its memory grows by 5,000 further descriptions and 500 images.
    """
    with tempfile.TemporaryDirectory() as empty:
        call = (
            "from afloc.evaluation.bench import first_answers\n"
            f"first_answers({str(source or '')!r}, {device!r}, {soak})"
        )
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-c", call],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "AFLOC_CACHE_DIR": empty},
        )
        with child:
            assert child.stdout is not None  # it is a pipe
            ready = child.stdout.readline()
            seconds = time.perf_counter() - start
            memory = child.stdout.read()
        if child.returncode or not ready:
            raise ModelError("A fresh process could not load the model.")
    return {"cold_start_s": round(seconds, 2), **json.loads(memory)}


def first_answers(source: str, device: str, soak: bool) -> None:
    """Run by the fresh process: print a line when the first heatmap is there, then the memory as JSON."""
    image, text = next(films()), next(descriptions())
    model = load_model(source or None, device)
    answer(model, image, [text])
    print("ready", flush=True)
    texts, images = itertools.cycle(descriptions()), films()

    def ask(count: int, per_image: int) -> None:
        for _ in range(count):
            answer(model, next(images), list(itertools.islice(texts, per_image)))

    ask(20, 5)
    memory = {}
    if soak:
        ask(80, 10)
        before = _resident_mb()
        ask(SOAK_IMAGES, SOAK_DESCRIPTIONS // SOAK_IMAGES)
        memory["growth_percent"] = round(100 * (_resident_mb() / before - 1), 1)
    print(json.dumps({"memory_mb": round(_peak_mb()), **memory}))


MODELS: tuple[tuple[str, Any, int], ...] = (
    ("embedded", None, 40),
    ("published_size", write_published_size, 12),
)
"""Key, source (or the function that writes the model's folder) and default number of runs of each model."""


def bench(
    model: str | None = None,
    device: str = "auto",
    runs: int | None = None,
    soak: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, dict]:
    """{"embedded": …, "published_size": …}: the figures of SCENARIOS, `cold_start_s` and `memory_mb`.

    `model`, as `load_model` takes it, stands in for the embedded one, under "model". `runs`: of each
    scenario; by default as many as give steady medians within two minutes.
    """
    report = {}
    with tempfile.TemporaryDirectory() as folder:
        for key, source, usual in MODELS:
            if model and key == "embedded":
                key, source = "model", model
            if callable(source):
                write, source = source, Path(folder) / key
                write(source)
            say(f"{key}: a fresh process")
            started = cold_start(source, device, soak)
            report[key] = time_model(load_model(source, device), runs or usual, say) | started
    return report


def to_table(report: dict) -> str:
    """The report as the table of docs/scale.md."""
    titles = [key.replace("_", " ") for key in report]
    lines = [
        f"| | {' | | '.join(titles)} | |",
        "|---|--:|--:|--:|--:|",
        "| | ms (p95) | ratio | ms (p95) | ratio |",
    ]
    for name, scenario in SCENARIOS.items():
        cells = (figures[name] for figures in report.values())
        values = (f"{each['p50_ms']:.1f} ({each['p95_ms']:.1f}) | {each['ratio']:.1f}×" for each in cells)
        lines.append(f"| {scenario.title} | {' | '.join(values)} |")
    for name, title in (
        ("cold_start_s", "fresh process to first heatmap, s"),
        ("memory_mb", "memory at most, MB"),
        ("growth_percent", "growth after 5,000 descriptions and 500 images, %"),
    ):
        if all(name in figures for figures in report.values()):
            values = (f"{figures[name]} |" for figures in report.values())
            lines.append(f"| {title} | {' | '.join(values)} |")
    return "\n".join(lines)


def _resident_mb() -> float:
    """The memory of this process now; its peak where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return _peak_mb()
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _peak_mb() -> float:
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
