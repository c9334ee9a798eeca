"""Pre-train a model from image-report pairs, as a recipe says.

python -m afloc train assets/configs/mini.toml --data DATA --out runs/mini

First the text encoder is trained on descriptions (`language`), then an image encoder for each modality is
aligned with it (`images`). Or both are trained at once, as in the paper and on its data (`joint`):

python -m afloc train assets/configs/published.toml --data MIMIC --out runs/published

The run folder holds a folder for each stage (its `log.csv`, `curves.html` and `checkpoint.pt`, from which the
same command resumes), the decoded images and, at the end, `model/`, a folder that `--model` takes.
Under torchrun several processes share the work (`distributed`).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

import torch
from safetensors.torch import load_file

from afloc.errors import SettingsError
from afloc.model.config import ModelConfig
from afloc.model.efficientnet import EfficientNetLite0, load_imagenet_weights
from afloc.model.files.checkpoint import embedded_or, load_checkpoint, write_folder
from afloc.model.files.hub import download
from afloc.model.image_encoder import ImageEncoder, ResNet50
from afloc.model.network import AFLoc
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.compute import CPU, Compute
from afloc.training.data.mimic import read_mimic
from afloc.training.data.table import PairTable, read_recipe_table
from afloc.training.distributed import is_first, start
from afloc.training.fit.calibration import calibrate
from afloc.training.fit.report_level import fit_report_level
from afloc.training.recipe import Recipe, Taken, model_config, starting_files
from afloc.training.stages.images import ImageStage
from afloc.training.stages.joint import JointStage
from afloc.training.stages.language import LanguageStage
from afloc.training.stages.loop import Stage, run_stage
from afloc.training.stages.profile import Profile, profile_stage
from afloc.training.stages.text_bank import TextBank

START_FILES = ("config.json", "vocab.txt", "tokenizer*.json", "model.safetensors", "pytorch_model.bin")


def train(recipe: Recipe, data: Path, folder: Path, only: str | None = None, compute: Compute = CPU) -> Path:
    """Train as `recipe` says on the tables below `data`; returns the folder of the finished model.

    `only`: "language" or a modality. Then that stage alone is trained (after the language stage, unless
    `folder` holds that already), and its folder is returned.
    """
    training = open_training(recipe, data, folder, compute)
    check_stage(training, only)
    for name in training.stages:
        if only in (None, name) or name == "language":
            stage = training.stage(name)
            run_stage(stage, folder / name)
            if only == name:
                return folder / name
            training.fit(stage)
    if is_first():
        write_folder(folder / "model", training.network, training.tokenizer, card(recipe), half=True)
    return folder / "model"


def profile(
    recipe: Recipe, data: Path, folder: Path, steps: int, only: str | None = None, compute: Compute = CPU
) -> Iterator[Profile]:
    """Time some steps of each stage, or of the stage `only`; nothing is trained."""
    training = open_training(recipe, data, folder, compute)
    check_stage(training, only)
    for name in training.stages:
        if only in (None, name):
            yield profile_stage(training.stage(name), steps)


class Training(Protocol):
    """The stages of a recipe, in their order, and the network that they train."""

    network: AFLoc
    tokenizer: WordPieceTokenizer
    stages: list[str]

    def stage(self, name: str) -> Stage:
        """A stage, with its data, before its first step."""

    def fit(self, stage: Stage) -> None:
        """Fit what is not learned but fitted, after a stage has ended."""


def open_training(recipe: Recipe, data: Path, folder: Path, compute: Compute) -> Training:
    """Read the tables of a recipe and build its network."""
    start(compute.device.type)
    torch.manual_seed(recipe.seed)
    opened = StagedTraining if recipe.joint is None else JointTraining
    return opened(recipe, data, folder, compute)


def check_stage(training: Training, only: str | None) -> None:
    """SettingsError where there is no stage of that name."""
    if only is not None and only not in training.stages:
        raise SettingsError(f"The recipe has no stage {only!r}; it has {', '.join(training.stages)}.")


class StagedTraining:
    """The compact recipe: first the text encoder, then an image encoder for each modality."""

    def __init__(self, recipe: Recipe, data: Path, folder: Path, compute: Compute):
        self.recipe, self.folder, self.compute = recipe, folder, compute
        left_out = {*recipe.without, *(recipe.taken.stages if recipe.taken else ())}
        self.stages = [name for name in ("language", *recipe.images) if name not in left_out]
        self.pairs = read_tables(recipe, data)
        image_start, text_start = starting_files()
        config = model_config(recipe, text_start)
        self.tokenizer = WordPieceTokenizer.read(
            text_start, config.max_tokens, config.text_encoder["vocab_size"]
        )
        self.network = start_network(AFLoc(config), image_start, text_start)
        self.origin = take_stages(self.network, recipe.taken) if recipe.taken else None
        self.network.to(compute.device)

    def stage(self, name: str) -> Stage:
        recipe, network = self.recipe, self.network
        if name == "language":
            assert recipe.language is not None  # every recipe that is not `joint` has it
            hard = "contraries" not in recipe.without
            return LanguageStage(
                network.text_encoder,
                self.tokenizer,
                self.pairs,
                recipe.language,
                recipe.seed,
                hard,
                self.compute,
            )
        network.text_encoder.requires_grad_(False)
        stage = ImageStage(
            cast(ImageEncoder, network.image_encoders[name]),
            TextBank(network.text_encoder, self.tokenizer, self.compute),
            self.pairs[name],
            recipe.images[name],
            network.config.side(name),
            recipe.seed,
            self.folder / name,
            recipe.without,
            self.compute,
        )
        if recipe.taken and name in recipe.taken.starts:
            stage.identity["from"] = self.origin
        return stage

    def fit(self, stage: Stage) -> None:
        if isinstance(stage, ImageStage):
            inputs, config = stage.fit_inputs(), self.network.config
            if inputs.fits_report:
                fit_report_level(inputs)
            fitted = {**(config.calibration or {}), stage.name: calibrate(inputs)}
            self.network.config = replace(config, calibration=fitted)


def take_stages(network: AFLoc, taken: Taken) -> str:
    """Give `network` what is taken from a trained model, and return that model's fingerprint. SettingsError
    where it lacks something, or has another shape."""
    checkpoint = load_checkpoint(embedded_or(taken.model))
    source, own = checkpoint.config, network.config
    modalities = [name for name in taken.stages if name != "language"]
    filled = [*modalities, *taken.starts]
    calibration = source.calibration or {}
    if lacking := [name for name in filled if name not in calibration]:
        raise SettingsError(f"The model {taken.model} has nothing calibrated for {lacking[0]} to take over.")
    shapes = [
        (each.text_encoder, each.last_n_layers, each.max_tokens, each.embedding_dim, each.backbone)
        + tuple(each.side(name) for name in modalities)
        + tuple(each.global_grids.get(name) for name in filled)
        for each in (source, own)
    ]
    if shapes[0] != shapes[1]:
        raise SettingsError(f"The model {taken.model} has another shape than the recipe's: train all stages.")
    network.text_encoder.load_state_dict(checkpoint.network.text_encoder.state_dict())
    for name in filled:
        network.image_encoders[name].load_state_dict(checkpoint.network.image_encoders[name].state_dict())
    network.config = replace(own, calibration={name: calibration[name] for name in modalities} or None)
    return checkpoint.fingerprint


def read_tables(recipe: Recipe, data: Path) -> dict[str, PairTable]:
    """The table of each modality; DataError where one has too few rows, lacks images, or has a patient on
    both sides of the split."""
    tables = {}
    for name, each in recipe.images.items():
        tables[name] = read_recipe_table(recipe, name, data)
        tables[name].check_enough(each.batch_size)
        tables[name].check_split()
        tables[name].check_images()
    return tables


class JointTraining:
    """The training of the paper, on MIMIC-CXR-JPG. Its model has no calibration: its maps and scores are
    those of the protocol `paper`."""

    def __init__(self, recipe: Recipe, data: Path, folder: Path, compute: Compute):
        from transformers import AutoModel

        joint = recipe.joint
        assert joint is not None  # or this would not have been opened
        self.recipe, self.joint, self.data, self.folder, self.compute = recipe, joint, data, folder, compute
        self.stages = ["joint"]
        config = ModelConfig.from_dict(recipe.model, "The recipe's [model] table")
        text_start = starting_folder(joint.text)
        self.tokenizer = WordPieceTokenizer.read(
            text_start, config.max_tokens, config.text_encoder["vocab_size"]
        )
        self.network = AFLoc(config)
        weights = AutoModel.from_pretrained(text_start, add_pooling_layer=False).state_dict()
        self.network.text_encoder.bert.load_state_dict(weights)
        if joint.image is not None:
            load_resnet(self.network, starting_folder(joint.image))
        self.network.to(compute.device)

    def stage(self, name: str) -> Stage:
        films, kept_back = (read_mimic(self.data, part) for part in ("train", "validate"))
        seed = self.recipe.seed
        return JointStage(
            self.network, self.tokenizer, films, kept_back, self.joint, seed, self.folder, self.compute
        )

    def fit(self, stage: Stage) -> None:
        pass


def starting_folder(name: str) -> Path:
    """The folder of an encoder that training starts from: one here, or one on the hub."""
    return Path(name) if Path(name).is_dir() else download(name, START_FILES, "a folder")


def load_resnet(network: AFLoc, folder: Path) -> None:
    """Fill the image encoder from the weights of a ResNet, as transformers keeps it."""
    from transformers import ResNetModel

    (encoder,) = network.image_encoders.values()
    if not isinstance(encoder, ImageEncoder) or not isinstance(encoder.backbone, ResNet50):
        raise SettingsError("joint.image is of a resnet50; the recipe's backbone is another.")
    weights = ResNetModel.from_pretrained(folder).state_dict()
    if {n: v.shape for n, v in weights.items()} != {
        n: v.shape for n, v in encoder.backbone.network.state_dict().items()
    }:
        raise SettingsError(f"The ResNet {folder.name} has other layers than the recipe's backbone.")
    encoder.backbone.network.load_state_dict(weights)


def start_network(network: AFLoc, image_start: Path, text_start: Path) -> AFLoc:
    """Fill the encoders with their starting weights."""
    for encoder in network.image_encoders.values():
        load_imagenet_weights(cast(EfficientNetLite0, encoder.backbone), image_start)
    bert = network.text_encoder.bert
    weights, kept = load_file(text_start / "model.safetensors"), bert.state_dict().keys()
    bert.load_state_dict({name: value for name, value in weights.items() if name in kept})
    return network


def card(recipe: Recipe) -> str:
    """The card of a new model, to be completed with its measured figures."""
    tables = [f"{each.table} ({each.steps} steps)" for each in recipe.images.values()]
    joint = recipe.joint
    stages = ", ".join(tables) if joint is None else f"MIMIC-CXR-JPG ({joint.steps} steps)"
    return (
        f"# {recipe.model['name']} {recipe.model['version']}\n\n"
        f"Trained with `python -m afloc train` from image-report pairs, without boxes: {stages}.\n\n"
        "Research use only. Not for diagnosis.\n"
    )
