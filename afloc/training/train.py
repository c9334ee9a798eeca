"""Pre-train a model from image-report pairs, as a recipe says.

python -m afloc train assets/configs/mini.toml --data DATA --out runs/mini

First the text encoder is trained on descriptions (`language`), then an image encoder for each modality is
aligned with it (`images`). Or both are trained at once, as in the paper and on its data (`joint`):

python -m afloc train assets/configs/published.toml --data MIMIC --out runs/published

The run folder holds a folder for each stage (its `log.csv`, `curves.html` and `checkpoint.pt`, from which the
same command resumes), the decoded images and, at the end, `model/`, a folder that `--model` takes.
Under torchrun several processes share the work (`distributed`).
"""

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file

from afloc.errors import SettingsError
from afloc.model.config import ModelConfig
from afloc.model.efficientnet import EfficientNetLite0, load_imagenet_weights
from afloc.model.files.checkpoint import write_folder
from afloc.model.files.hub import download
from afloc.model.image_encoder import ImageEncoder, ResNet50
from afloc.model.network import AFLoc
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.compute import CPU, Compute
from afloc.training.data.mimic import read_mimic
from afloc.training.data.pairs import Pair, check_enough, read_pairs
from afloc.training.distributed import is_first, start
from afloc.training.fit.calibration import calibrate
from afloc.training.fit.report_level import fit_report_level
from afloc.training.recipe import Recipe, model_config, starting_files
from afloc.training.stages.images import ImageStage
from afloc.training.stages.joint import JointStage
from afloc.training.stages.language import LanguageStage
from afloc.training.stages.loop import run_stage
from afloc.training.stages.text_bank import TextBank

START_FILES = ("config.json", "vocab.txt", "tokenizer*.json", "model.safetensors", "pytorch_model.bin")


def train(recipe: Recipe, data: Path, folder: Path, only: str | None = None, compute: Compute = CPU) -> Path:
    """Train as `recipe` says on the tables below `data`; returns the folder of the finished model.

    `only`: "language" or a modality. Then that stage alone is trained (after the language stage, unless
    `folder` holds that already), and its folder is returned.
    """
    start(compute.device.type)
    torch.manual_seed(recipe.seed)
    stages = [] if recipe.joint or "language" in recipe.without else ["language"]
    stages += recipe.images
    if only is not None and only not in stages:
        raise SettingsError(f"The recipe has no stage {only!r}; it has {', '.join(stages) or 'one only'}.")
    if recipe.joint is not None:
        return train_jointly(recipe, data, folder, compute)
    pairs = read_tables(recipe, data)
    image_start, text_start = starting_files()
    config = model_config(recipe, text_start)
    tokenizer = WordPieceTokenizer.read(text_start, config.max_tokens, config.text_encoder["vocab_size"])
    network = start_network(AFLoc(config), image_start, text_start).to(compute.device)
    hard_negatives = "contraries" not in recipe.without

    if "language" not in recipe.without:
        assert recipe.language is not None  # every recipe that is not `joint` has it
        language = LanguageStage(
            network.text_encoder, tokenizer, pairs, recipe.language, recipe.seed, hard_negatives, compute
        )
        run_stage(language, folder / "language")
    network.text_encoder.requires_grad_(False)
    if only == "language":
        return folder / only

    calibration = {}
    for name, each in recipe.images.items():
        if only not in (None, name):
            continue
        encoder = cast(ImageEncoder, network.image_encoders[name])
        stage_folder = folder / name
        stage_folder.mkdir(parents=True, exist_ok=True)
        stage = ImageStage(
            encoder,
            TextBank(network.text_encoder, tokenizer, compute),
            pairs[name],
            each,
            config.side(name),
            recipe.seed,
            stage_folder,
            recipe.without,
            compute,
        )
        run_stage(stage, stage_folder)
        if only:
            return stage_folder
        inputs = stage.fit_inputs()
        if inputs.fits_report:
            fit_report_level(inputs)
        calibration[name] = calibrate(inputs)
    network.config = replace(config, calibration=calibration)
    if is_first():
        write_folder(folder / "model", network, tokenizer, card(recipe), half=True)
    return folder / "model"


def read_tables(recipe: Recipe, data: Path) -> dict[str, list[Pair]]:
    """The pairs of each modality; DataError where a table has too few rows."""
    pairs = {}
    for name, each in recipe.images.items():
        table = data / each.table
        pairs[name] = read_pairs(table, name, labels_only="reports" in recipe.without)
        check_enough(pairs[name], each.batch_size, table)
    return pairs


def train_jointly(recipe: Recipe, data: Path, folder: Path, compute: Compute = CPU) -> Path:
    """Train as the paper does, on MIMIC-CXR-JPG below `data`; returns the folder of the finished model. It
    has no calibration: its maps and scores are those of the protocol `paper`."""
    from transformers import AutoModel

    joint = recipe.joint
    assert joint is not None  # or `train` would not have called this
    config = ModelConfig.from_dict(recipe.model, "The recipe's [model] table")
    text_start = starting_folder(joint.text)
    tokenizer = WordPieceTokenizer.read(text_start, config.max_tokens, config.text_encoder["vocab_size"])
    network = AFLoc(config)
    weights = AutoModel.from_pretrained(text_start, add_pooling_layer=False).state_dict()
    network.text_encoder.bert.load_state_dict(weights)
    if joint.image is not None:
        load_resnet(network, starting_folder(joint.image))
    folder.mkdir(parents=True, exist_ok=True)
    network.to(compute.device)
    films, kept_back = (read_mimic(data, part) for part in ("train", "validate"))
    stage = JointStage(network, tokenizer, films, kept_back, joint, recipe.seed, folder, compute)
    run_stage(stage, folder / "joint")
    if is_first():
        write_folder(folder / "model", network, tokenizer, card(recipe), half=True)
    return folder / "model"


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
