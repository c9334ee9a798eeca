"""Pre-train a model from image-report pairs.

python -m afloc train assets/configs/mini.toml --data DATA --out runs/mini

The run folder holds the caches, `log.csv`, `curves.html`, `checkpoint.pt` (written every few minutes; the
same command goes on from it) and, at the end, `model/`, a folder that `--model` takes. Every batch and every
dropout mask is a function of the seed and the step, so that a run that was killed goes on exactly as if it
had not been.
"""

import csv
import math
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from afloc.errors import DataError
from afloc.model.afloc import AFLoc
from afloc.model.checkpoint import write_folder
from afloc.model.efficientnet import load_imagenet_weights
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import LEVELS, TextVectors, text_vectors
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.calibration import calibrate
from afloc.training.features import cache_features, decode_images
from afloc.training.objective import Places, SigmoidObjective
from afloc.training.pairs import Batch, Sampler, find_places, read_pairs, same_meaning
from afloc.training.recipe import Recipe, model_config, starting_files

CHECKPOINT_SECONDS = 120
GRADIENT_LIMIT = 5.0
PLACE_CELLS = 14
TEXTS_AT_ONCE = 16


class Run:
    """A training run: everything that changes while it runs, and where it is kept."""

    def __init__(self, recipe: Recipe, data: Path, folder: Path):
        self.recipe, self.folder = recipe, folder
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        image_start, text_start = starting_files()
        config = model_config(recipe, text_start)
        self.tokenizer = WordPieceTokenizer.read(
            text_start, config.max_tokens, config.text_encoder["vocab_size"]
        )
        self.network = start_network(AFLoc(config), image_start, text_start, recipe)
        self.objective = SigmoidObjective(recipe.sharpness)
        self.optimizer = build_optimizer(self.network, self.objective, recipe)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: rate_at(step, recipe))
        self.pairs = read_pairs(data / recipe.table, recipe.modality)
        self.sampler = Sampler(self.pairs, recipe.seed, templates=recipe.templates, reports=recipe.reports)
        self.step = 0
        pictures = decode_images(
            [pair.image for pair in self.pairs], folder / "images.npy", gray=recipe.modality == "chest_xray"
        )
        backbone = self.network.image_encoder.backbone.eval().to(memory_format=torch.channels_last)
        self.features = cache_features(
            backbone, pictures, folder, config.image_size, recipe.variants, recipe.seed
        )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of one batch, by name; "total" is what is minimised."""
        images = self._encode_images(batch)
        vectors = self._encode_texts([description.text for description in batch.descriptions])
        localizable = torch.tensor([d.localizable for d in batch.descriptions])
        targets, weights = torch.from_numpy(batch.targets), torch.from_numpy(batch.weights)
        found = [torch.from_numpy(a) for a in find_places(self.pairs, batch, PLACE_CELLS)]
        places = Places(*found) if len(found[0]) else None
        losses = self.objective(images, vectors, targets, weights, localizable, places)
        same = torch.tensor([[same_meaning(a, b) for b in batch.descriptions] for a in batch.descriptions])
        losses["language"] = self.objective.language_loss(vectors, same)
        scale = {"place": self.recipe.place_weight, "language": self.recipe.language_weight}
        losses["total"] = sum(scale.get(name, 1.0) * loss for name, loss in losses.items())
        return losses

    def _encode_images(self, batch: Batch) -> ImageFeatures:
        variants = np.random.default_rng([self.recipe.seed, self.step, 1]).integers(
            len(self.features), size=len(batch.rows)
        )
        shallow = np.stack([self.features[v][row] for v, row in zip(variants, batch.rows, strict=True)])
        shallow = torch.from_numpy(shallow).float().permute(0, 3, 1, 2)  # channels last, as it lies
        encoder = self.network.image_encoder
        deep, pooled = encoder.backbone.forward_deep(shallow)
        return encoder.project(shallow, deep, pooled)

    def _encode_texts(self, texts: list[str]) -> TextVectors:
        """Long texts with long ones, so that little of the work is padding."""
        tokens = [self.tokenizer(text) for text in texts]
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index].ids))
        chunks = [order[start : start + TEXTS_AT_ONCE] for start in range(0, len(order), TEXTS_AT_ONCE)]
        encoded = [text_vectors(self.network.encode_texts([tokens[i] for i in chunk])) for chunk in chunks]
        back = torch.tensor(order).argsort()
        return TextVectors(*(torch.cat([getattr(v, level) for v in encoded])[back] for level in LEVELS))

    def advance(self) -> dict[str, float]:
        """One step; the losses it saw."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)
        set_training(self.network)
        losses = self.losses(self.sampler.draw(self.recipe.batch_size, self.step))
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, GRADIENT_LIMIT)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def save(self) -> None:
        """Write checkpoint.pt, whole or not at all."""
        part = self.folder / "checkpoint.part"
        torch.save(
            {
                "step": self.step,
                "recipe": asdict(self.recipe),
                **{n: o.state_dict() for n, o in self._parts()},
            },
            part,
        )
        part.replace(self.folder / "checkpoint.pt")

    def restore(self) -> None:
        """Go on from checkpoint.pt, if there is one; DataError where it belongs to another recipe."""
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if saved["recipe"] != asdict(self.recipe):
            raise DataError(f"{self.folder} holds a run of another recipe: give another folder with --out.")
        for name, part in self._parts():
            part.load_state_dict(saved[name])
        self.step = saved["step"]

    def _parts(self):
        names = ("network", "objective", "optimizer", "schedule")
        return [(name, getattr(self, name)) for name in names]


def train(recipe: Recipe, data: Path, folder: Path) -> Path:
    """Train as `recipe` says on the tables below `data`; returns the folder of the finished model."""
    run = Run(recipe, data, folder)
    run.restore()
    log = Log(folder / "log.csv", run.step)
    saved = time.monotonic()
    with tqdm(total=recipe.steps, initial=run.step, desc="training", unit="step") as progress:
        while run.step < recipe.steps:
            losses = run.advance()
            log.write(run.step, losses)
            progress.set_postfix(loss=f"{losses['total']:.3f}")
            progress.update()
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                run.save()
                saved = time.monotonic()
    run.save()
    log.plot(folder / "curves.html")
    return export(run)


def export(run: Run) -> Path:
    """Calibrate the model as it is and write it as a folder; returns the folder."""
    common = list(run.sampler.common)
    calibration = calibrate(
        run.network, run.tokenizer, run.objective, run.features[0], run.pairs, common, run.recipe.seed
    )
    run.network.config = replace(run.network.config, calibration=calibration)
    write_folder(run.folder / "model", run.network, run.tokenizer, card(run.recipe), half=True)
    return run.folder / "model"


def start_network(network: AFLoc, image_start: Path, text_start: Path, recipe: Recipe) -> AFLoc:
    """Fill the encoders with their starting weights and freeze what the recipe keeps."""
    backbone, bert = network.image_encoder.backbone, network.text_encoder.bert
    load_imagenet_weights(backbone, image_start)
    weights = load_file(text_start / "model.safetensors")
    kept = bert.state_dict().keys()
    bert.load_state_dict({name: value for name, value in weights.items() if name in kept})
    frozen = [
        backbone.stem,
        *backbone.stages[:3],
        bert.embeddings,
        *bert.encoder.layer[: recipe.frozen_text_layers],
    ]
    for module in frozen:
        module.requires_grad_(False)
    return network


def set_training(network: AFLoc) -> None:
    """Training mode, but for the frozen part of the backbone, whose statistics stay those of ImageNet."""
    network.train()
    network.image_encoder.backbone.stem.eval()
    network.image_encoder.backbone.stages[:3].eval()


def build_optimizer(network: AFLoc, objective: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW with a rate each for the backbone, the text encoder, and what starts from nothing."""
    encoder = network.image_encoder
    fresh = [encoder.global_projection, encoder.deep_projection, encoder.shallow_projection, objective]
    groups = [
        (recipe.image_rate, encoder.backbone.parameters()),
        (recipe.text_rate, network.text_encoder.parameters()),
        (recipe.projection_rate, (p for module in fresh for p in module.parameters())),
    ]
    return torch.optim.AdamW(
        [{"params": [p for p in params if p.requires_grad], "lr": rate} for rate, params in groups],
        weight_decay=recipe.weight_decay,
    )


def rate_at(step: int, recipe: Recipe) -> float:
    """The learning rate's factor: a linear rise, then half a cosine down to zero."""
    rise = max(1, round(recipe.warmup * recipe.steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, recipe.steps - rise)))


class Log:
    """The losses of every step, as CSV and as a plotly page."""

    def __init__(self, path: Path, step: int):
        self.path = path
        if path.is_file():  # drop what ran after the checkpoint: it is about to run again
            with path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row[0] == "step" or int(row[0]) <= step]
            with path.open("w", newline="") as file:
                csv.writer(file).writerows(rows)

    def write(self, step: int, losses: dict[str, float]) -> None:
        new = not self.path.is_file()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", *losses])
            writer.writerow([step, *(f"{loss:.6f}" for loss in losses.values())])

    def plot(self, page: Path) -> None:
        """Write the curves, each the mean of 20 steps."""
        import plotly.graph_objects as go

        with self.path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        figure = go.Figure(layout={"title": "Training losses", "xaxis_title": "step", "yaxis_title": "loss"})
        for name in list(rows[0])[1:] if rows else []:
            values = np.array([float(row[name]) for row in rows])
            window = min(20, len(values))
            smooth = np.convolve(values, np.ones(window) / window, "valid")
            figure.add_scatter(x=[int(row["step"]) for row in rows[window - 1 :]], y=smooth, name=name)
        figure.write_html(page, include_plotlyjs=True)


def card(recipe: Recipe) -> str:
    """The card of a fresh model, to be filled with what it measures."""
    return (
        f"# {recipe.model['name']} {recipe.model['version']}\n\n"
        f"Trained with `python -m afloc train` on {recipe.table}, {recipe.steps} steps of "
        f"{recipe.batch_size} images, from image-report pairs, without boxes.\n\n"
        "Research use only. Not for diagnosis.\n"
    )
