"""Calibrate a trained model: fit all that turns its numbers into verdicts, from its held-back patients.

python -m afloc calibrate MODEL --data DATA --recipe assets/configs/mini.toml --out FOLDER

The weights stay, and so do the scales of maps and scores, which were fitted in training: no map changes,
unless maps are to be drawn as the recipe now says. The held-back patients are those that training left
out, by a hash of the patient's name.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import cast

from afloc.errors import ModelError, SettingsError
from afloc.files import whole_file
from afloc.language.modalities import MODALITIES
from afloc.model.calibration import Calibration
from afloc.model.config import ModelConfig
from afloc.model.files.checkpoint import FILES, LISTS, Checkpoint, load_checkpoint
from afloc.model.image_encoder import ImageEncoder
from afloc.training.data.sampler import Sampler
from afloc.training.data.table import check_calibration_split, read_recipe_table
from afloc.training.fit.calibration import fit_maps, fit_verdicts
from afloc.training.fit.inputs import FitInputs
from afloc.training.fit.split import CalibrationSplit
from afloc.training.pictures.stored_images import ImagePaths, ImagesOnDemand, stored_size
from afloc.training.recipe import ImageRecipe, Recipe
from afloc.training.stages.text_bank import TextBank


def calibrate_model(
    source: Path,
    recipe: Recipe,
    data: Path,
    folder: Path,
    version: str | None = None,
    maps: bool = False,
) -> ModelConfig:
    """Write the model folder `source` to `folder`, calibrated anew; returns its config.

    `recipe`: the one it was trained by. `version`: of the calibrated model, its former one unless given.
    `maps`: draw maps as the recipe says, which may say so otherwise than when the model was trained.
    `folder` may be `source`; otherwise it must be new. ModelError where the model has no scales or is not of
    the recipe's modalities; DataError where a table is missing or too small.
    """
    if not source.is_dir():
        raise ModelError(f"There is no model folder {source}.")
    if folder.is_dir() and folder.resolve() != source.resolve() and any(folder.iterdir()):
        raise SettingsError(f"The folder {folder} is not empty: give a new one.")
    checkpoint = load_checkpoint(source)
    config, scales = checkpoint.config, checkpoint.config.calibration or {}
    for modality in config.modalities:
        if modality not in recipe.images:
            raise SettingsError(f"The recipe does not train on {modality}, as the model did.")
        if modality not in scales:
            raise ModelError(
                f"The model has no scales for {modality}: only what `train` made can be calibrated."
            )
    fitted = {}
    for modality in config.modalities:
        inputs, own = trained_inputs(checkpoint, recipe, modality, data), scales[modality]
        if maps:
            inputs = replace(inputs, recipe=recipe.images[modality])
            own = fit_maps(inputs, own)
        fitted[modality] = fit_verdicts(CalibrationSplit(inputs), own)
    new = replace(config, version=version or config.version, calibration={**scales, **fitted})
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != source.resolve():
        for path in (*(source / name for name in FILES), *source.glob(LISTS)):
            if path.is_file():
                copied = folder / path.relative_to(source)
                copied.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, copied)
    with whole_file(folder / "config.json") as written:
        written.write_text(new.to_json(), encoding="utf-8")
    return new


def trained_inputs(checkpoint: Checkpoint, recipe: Recipe, modality: str, data: Path) -> FitInputs:
    """What the fits need of a trained model and the table it was trained on."""
    own: ImageRecipe = recipe.images[modality]
    config, network = checkpoint.config, checkpoint.network
    calibration = cast(dict[str, Calibration], config.calibration)[modality]
    pairs = read_recipe_table(recipe, modality, data)
    check_calibration_split(pairs.fact_index, f"The table {own.table}")
    size = config.side(modality)
    return FitInputs(
        modality=modality,
        encoder=cast(ImageEncoder, network.image_encoders[modality]),
        texts=TextBank(network.text_encoder, checkpoint.tokenizer),
        pairs=pairs,
        images=ImagesOnDemand(ImagePaths(pairs), stored_size(size), MODALITIES[modality].grayscale),
        size=size,
        sampler=Sampler.by_recipe(pairs, own, recipe.seed, recipe.without),
        levels=calibration.levels,
        recipe=replace(own, turned=calibration.turned),  # its images are looked at as they were
        seed=recipe.seed,
        fits_report=False,
        without=frozenset(recipe.without),
    )
