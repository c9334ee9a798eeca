"""`afloc train --from`: a model goes on with a hospital's own reports."""

import csv
import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from afloc.inference.model import load_model
from afloc.language import findings
from afloc.language.findings import load_findings
from afloc.model.calibration import Calibration
from afloc.training.continuation import Continuation, recipe_for
from tests.cli.test_main import run
from tests.training.small import write_films
from tests.training.test_calibrate import trained

__all__ = ["trained"]  # a fixture


@pytest.fixture
def lists():
    """Lists of findings that are put back afterwards."""
    yield
    findings._added.clear()
    for empty in findings._emptied:
        empty()


NEW_FINDING = """
[paper_clip]
name = "paper clip"
synonyms = ["office clip"]
sided = true
"""


def write_table(folder, said="There is a small left effusion. No pneumothorax.", **columns):
    """The drawn films with the reports of a hospital; every second one has `said`."""
    write_films(folder)
    rows = [
        {"image": f"{n}.png", "text": "Kabel quer über dem Herz. " + (said if n % 2 == 0 else "Clear lungs.")}
        | {key: value(n) for key, value in columns.items()}
        for n in range(120)
    ]
    table = folder / "reports.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


def test_a_model_goes_on_and_says_what_changed(trained, tmp_path, capsys, lists):
    (tmp_path / "new.toml").write_text(NEW_FINDING)
    table = write_table(tmp_path, said="There is a paper clip on the left.", patient=lambda n: f"p{n}")
    out = tmp_path / "ours"
    options = ("--out", out, "--findings", tmp_path / "new.toml", "--steps", 2, "--device", "cpu")
    assert run("train", "--from", trained / "model", table, *options) == 0
    assert "paper clip | " in capsys.readouterr().out
    model, before = load_model(out / "model", "cpu"), load_model(trained / "model", "cpu")
    assert model.name == "ours" and model.fingerprint != before.fingerprint
    assert "paper_clip" in load_findings("chest_xray")
    card = (out / "model" / "README.md").read_text()
    assert (
        f"small 1 ({before.fingerprint})" in card
        and "reports.csv" in card
        and "paper clip" in card
        and "Research use only" in card
    )
    old, new = (load_file(folder / "model.safetensors") for folder in (trained / "model", out / "model"))
    changed = {name for name in old if not old[name].half().equal(new[name].half())}
    assert changed and not any(name.startswith("text_encoder") for name in changed)
    calibration, known = (m.calibration("chest_xray") for m in (model, before))
    assert (calibration.levels, calibration.map_range) == (
        known.levels,
        known.map_range,
    )


def test_a_model_that_is_gone_on_with_looks_and_draws_as_before():
    job = Continuation(None, (Path("reports.csv"),), "histopathology")
    before = Calibration(precise_weight=0.5, map_detail=2, turned=True, anatomy_weight=0.25, smoothing=0.02)
    recipe = recipe_for(job, before, 8)
    for name in ("precise_weight", "map_detail", "turned", "anatomy_weight", "smoothing"):
        assert getattr(recipe, name) == getattr(before, name)


@pytest.mark.parametrize(
    "columns, options, sentence",
    [
        ({"text": lambda n: ""}, (), "reports.csv has no reports"),
        ({"image": lambda n: f"{n}.jpg"}, (), "images that reports.csv names are not there"),
        ({"split": lambda n: ("train", "test")[n % 2], "patient": lambda n: "one"}, (), "on both sides of"),
        ({"split": lambda n: "validation"}, (), "`split` is 'validation'"),
        ({}, ("--modality", "fundus"), "has no encoder for fundus"),
        ({}, ("--steps", "0"), "--steps: must be a whole number from 1"),
        ({}, ("--data", "."), "With --from there is no --data"),
    ],
)
def test_at_the_door(trained, tmp_path, capsys, columns, options, sentence):
    table = write_table(tmp_path, **columns)
    assert run("train", "--from", trained / "model", table, "--out", tmp_path / "out", *options) == 2
    said = capsys.readouterr().err
    assert sentence in said and len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_embedded_model_is_never_written_to(tmp_path, capsys):
    from afloc.model.files.checkpoint import EMBEDDED

    assert run("train", "--from", "afloc-mini", write_table(tmp_path), "--out", EMBEDDED) == 2
    assert "The embedded model stays as it is" in capsys.readouterr().err
    assert json.loads((EMBEDDED / "config.json").read_text())["name"] == "afloc-mini"
