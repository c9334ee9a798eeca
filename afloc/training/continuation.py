"""Go on from a trained model with a hospital's own images and reports.

python -m afloc train --from afloc-mini reports.csv --out runs/ours

The image encoder of one modality is trained further; the text encoder and the other modalities stay as they
are, and so do the scales of maps and scores. The patients of the tables have three parts: most are learned
from, one in twelve is for the calibration, and one in six measures the model before and after. The run folder
gets `model/`, a folder that `--model` takes, with a card that says what changed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch

from afloc.errors import DataError, ModelError, SettingsError
from afloc.language.findings import add_findings
from afloc.language.modalities import MODALITIES
from afloc.model.calibration import Calibration
from afloc.model.files.checkpoint import EMBEDDED, Checkpoint, load_checkpoint, write_folder
from afloc.model.image_encoder import ImageEncoder
from afloc.training.change import Change, measure_change
from afloc.training.compute import CPU, Compute
from afloc.training.data.table import REPORTED, TEST, PairTable, read_pairs, read_rows
from afloc.training.distributed import is_first, start
from afloc.training.fit.calibration import fit_verdicts
from afloc.training.fit.report_level import fit_report_level
from afloc.training.fit.split import CalibrationSplit
from afloc.training.recipe import ImageRecipe
from afloc.training.stages.images import ImageStage
from afloc.training.stages.loop import run_stage
from afloc.training.stages.text_bank import TextBank

STEPS = 300
BATCH_SIZE = 32
IMAGE_RATE, PROJECTION_RATE = 1e-4, 2.5e-4  # a quarter of those of a first training
SPECIFICITY = 0.9  # of verdicts
TEXTS = tuple(column for column in REPORTED if column != "mesh")


@dataclass(frozen=True)
class Continuation:
    """What a model is gone on with. `source`: the model, as `load_checkpoint` takes it. `tables`: CSVs with
    the columns `image` and `text` (or `findings` and `impression`). `findings`: a TOML list of new ones."""

    source: str | Path | None
    tables: tuple[Path, ...]
    modality: str
    findings: Path | None = None
    steps: int = STEPS
    seed: int = 0


def continue_training(job: Continuation, folder: Path, command: str, compute: Compute = CPU) -> Change | None:
    """Train the model further, calibrate it and write it to `folder`/model; returns what changed on the
    patients that measure it. Of several processes the first one writes and measures; the others return None.
    `command`: what was asked for, for the card.

    Raises DataError where a table has no reports, lacks images, or has a patient in two parts; ModelError
    where the model cannot be gone on with.
    """
    start(compute.device.type)
    torch.manual_seed(job.seed)
    if folder.resolve() == EMBEDDED.resolve() or EMBEDDED.resolve() in folder.resolve().parents:
        raise SettingsError("The embedded model stays as it is: give another folder with --out.")
    check_reports(job.tables)
    checkpoint = load_checkpoint(job.source)
    origin = f"{checkpoint.config.name} {checkpoint.config.version} ({checkpoint.fingerprint})"
    before = trained_calibration(checkpoint, job.modality)
    if job.findings is not None:
        add_findings(job.findings, job.modality)
    table, test = (_read(job, parts) for parts in (("train", "calibration"), (TEST,)))
    size = min(BATCH_SIZE, max(1, int(table.fact_index.usable.sum())))
    table.check_split()
    test.check_apart(table)
    table.check_enough(size)
    for each in (table, test):
        each.check_images()

    network = checkpoint.network.to(compute.device)
    network.requires_grad_(True)
    network.text_encoder.requires_grad_(False)
    stage = ImageStage(
        cast(ImageEncoder, network.image_encoders[job.modality]),
        TextBank(network.text_encoder, checkpoint.tokenizer, compute),
        table,
        recipe_for(job, before, size),
        checkpoint.config.side(job.modality),
        job.seed,
        folder,
        compute=compute,
        start=before.levels,
    )
    stage.identity["from"] = origin
    run_stage(stage, folder / job.modality)
    inputs = stage.fit_inputs()
    if inputs.fits_report:
        fit_report_level(inputs, correct=True)
    fitted = fit_verdicts(CalibrationSplit(inputs), before)
    calibration = {
        **(checkpoint.config.calibration or {}),
        job.modality: with_what_was_known(fitted, before),
    }
    network.config = replace(checkpoint.config, name=folder.resolve().name, calibration=calibration)
    model = folder / "model"
    if is_first():
        write_folder(model, network, checkpoint.tokenizer, "", half=True)
        if job.findings is not None:
            lists = model / "findings"
            lists.mkdir(exist_ok=True)
            (lists / f"{job.modality}.toml").write_bytes(job.findings.read_bytes())
    change = measure_change(test, job.modality, job.source, model, compute.device.type)
    if is_first():
        (model / "README.md").write_text(card(job, origin, table, test, change, command), encoding="utf-8")
    return change


def check_reports(tables: Sequence[Path]) -> None:
    """DataError where a table has not one report."""
    for table in tables:
        if not any(row.get(column) for row in read_rows(table, ("image",)) for column in TEXTS):
            raise DataError(
                f"{table.name} has no reports: it needs a column text, or findings and impression, that is "
                "not empty."
            )


def trained_calibration(checkpoint: Checkpoint, modality: str) -> Calibration:
    """The calibration that training gave a model; ModelError where it cannot be gone on with."""
    config = checkpoint.config
    if modality not in config.modalities:
        raise ModelError(f"The model {config.name} has no encoder for {modality}.")
    if config.backbone != "efficientnet_lite0" or modality not in (config.calibration or {}):
        raise ModelError(f"The model {config.name} was not made by `train`: it cannot be gone on with.")
    return cast(dict[str, Calibration], config.calibration)[modality]


def recipe_for(job: Continuation, before: Calibration, batch_size: int) -> ImageRecipe:
    """How the encoder of a modality is trained further."""
    whole = MODALITIES[job.modality].radiology_reports  # such images are not joined
    return ImageRecipe(
        table=" and ".join(table.name for table in job.tables),
        steps=job.steps,
        batch_size=batch_size,
        image_rate=IMAGE_RATE,
        projection_rate=PROJECTION_RATE,
        collage_rate=0.0 if whole else 0.25,
        normal_ratio=0.0 if whole else 0.5,
        smoothing=before.smoothing,
        word_weight=before.word_weight,
        sentence_weight=before.sentence_weight,
        anatomy_weight=before.anatomy_weight,
        precise_weight=before.precise_weight,
        map_detail=before.map_detail,
        turned=before.turned,
        unreliable_maps=before.unreliable_maps,
        specificity=SPECIFICITY,
    )


def with_what_was_known(fitted: Calibration, before: Calibration) -> Calibration:
    """The fitted verdicts; those on findings that the tables say too little of are as before."""
    sides = {**(before.side_margins or {}), **(fitted.side_margins or {})}
    words = {*(before.known_words or ()), *(fitted.known_words or ())}
    return replace(
        fitted,
        presence={**(before.presence or {}), **(fitted.presence or {})},
        finding_points={**(before.finding_points or {}), **(fitted.finding_points or {})} or None,
        performance={**(before.performance or {}), **(fitted.performance or {})} or None,
        side_margins=sides or None,
        normality=fitted.normality or before.normality,
        known_words=tuple(sorted(words)) or None,
    )


def card(
    job: Continuation, origin: str, table: PairTable, test: PairTable, change: Change, command: str
) -> str:
    """The card of the new model: data, split, what changed, the command. `origin`: the model before."""
    index = table.fact_index
    parts = {
        "learned from": [index.sources[s] for s in index.source[~index.held_back]],
        "for the calibration": [index.sources[s] for s in index.source[index.held_back]],
        "for the figures below": [test.fact_index.sources[s] for s in test.fact_index.source],
    }
    rows = [
        f"| {part} | {len(names)} | {', '.join(f'{n} {k}' for n, k in sorted(Counter(names).items()))} |"
        for part, names in parts.items()
    ]
    added = f" New findings: {job.findings.name}." if job.findings else ""
    return "\n".join(
        [
            f"# {change.after_name}",
            "",
            f"Gone on from {origin} with the reports of {' and '.join(path.name for path in job.tables)}: "
            f"{job.steps} steps of its encoder for {job.modality}, seed {job.seed}. "
            f"The text encoder and the other modalities are unchanged.{added}",
            "**Research use only. Not for diagnosis.**",
            "",
            f"```sh\n{command}\n```",
            "",
            "## Data",
            "",
            "Parts by patient; no patient is in two of them.",
            "",
            "| part | images | by source |",
            "|---|--:|---|",
            *rows,
            "",
            "## Before and after",
            "",
            change.table(),
            "",
            "Verdicts on findings that the tables say too little of, and their maps, were not measured: "
            "`python -m afloc evaluate` on a set of your own tells.",
            "",
        ]
    )


def _read(job: Continuation, parts: Sequence[str]) -> PairTable:
    return read_pairs(job.tables, job.modality, parts=parts, tested=True, needed=("image",))
