"""A kind of images that AFLoc does not come with: a row, a list of findings and a model are all it takes."""

import json
import random
import shutil
from dataclasses import replace

import httpx
import numpy as np
import PIL.Image
import pytest
import torch

from afloc import DataError, load_model, read_image
from afloc.cli.main import main
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.language import findings
from afloc.language.findings import find_by_label, load_findings
from afloc.language.modalities import MODALITIES, Modality
from afloc.language.phrases import load_wordings, sentence_for
from afloc.language.reading import read
from afloc.language.statements import Statement, read_statements
from afloc.model.files.checkpoint import write_folder
from afloc.model.network import AFLoc
from afloc.model.tokenizer import WordPieceTokenizer
from afloc.training.data.pairs import read_pair
from tests.web.tiny import CONFIG, VOCABULARY

LIST = """
[breast_mass]
name = "breast mass"
synonyms = ["lump in the breast", "breast lump"]
labels = ["Mass of the breast"]
simple = "breast mass is present"
precise = "A dense spiculated opacity that displaces the tissue around it."
where = "The upper outer quadrant first."
affirmed = ["A breast mass is seen.", "There is a breast mass."]
denied = ["No breast mass.", "No breast mass is seen."]
sided = true
family = "nodule"

[breast_calcification]
name = "breast calcification"
synonyms = ["calcified spots in the breast"]
labels = ["Calcification of the breast"]
simple = "breast calcification is present"
precise = "Bright specks in a cluster."
where = "All over the breast."
affirmed = ["Clustered calcifications of the breast."]
denied = ["No breast calcification."]
sided = true
family = "calcification"
"""


@pytest.fixture
def mammogram(tmp_path, monkeypatch) -> Modality:
    """A fourth modality: nothing but its row and its list, which names no structure and nothing normal."""
    folder = shutil.copytree(findings.FOLDER, tmp_path / "findings")
    (folder / "mammogram.toml").write_text(LIST, encoding="utf-8")
    monkeypatch.setattr(findings, "FOLDER", folder)
    monkeypatch.setitem(MODALITIES, "mammogram", Modality("mammogram", "mammogram", grayscale=True))
    yield MODALITIES["mammogram"]


@pytest.fixture
def folder(mammogram, tmp_path):
    """A tiny random model of that modality alone."""
    torch.manual_seed(0)
    point = {"slope": 1.0, "intercept": 0.0, "threshold": 0.5}
    calibration = {mammogram.id: {"presence": {"other": point}}}
    network = AFLoc(replace(CONFIG, modalities=(mammogram.id,), calibration=calibration)).eval()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    tokenizer = WordPieceTokenizer.read(folder, CONFIG.max_tokens, len(VOCABULARY))
    write_folder(folder, network, tokenizer, "# tiny\n")
    return folder


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (270, 210, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "breast.png")
    return tmp_path / "breast.png"


def test_a_model_answers_about_it(mammogram, folder, picture):
    model = load_model(folder)
    view = model.encode(read_image(picture), mammogram.id)
    finding = view.locate("left breast mass")
    assert finding.heatmap.shape == (270, 210) and finding.present is not None
    assert finding.warning is None or finding.warning.startswith("The side is not checked")
    assert [each.text for each in view.classify()] == [e.simple for e in load_findings(mammogram.id).values()]
    assert [word.text for word in view.words(finding)] == ["left", "breast", "mass"]
    gray = np.repeat(read_image(picture).gray()[..., None], 3, axis=2)
    same = model.encode(type(view.image)(gray, (0, 255)), mammogram.id).locate("left breast mass")
    assert np.array_equal(same.grid, finding.grid)  # its colours are not looked at


def test_without_measured_images_nothing_is_doubted(mammogram, folder, picture):
    assert load_model(folder).encode(read_image(picture), mammogram.id).doubt is None


def test_the_command_line_takes_it(mammogram, folder, picture, tmp_path, capsys):
    options = ("--modality", mammogram.id, "--model", str(folder))
    assert main(["locate", str(picture), "breast lump", *options, "--out", str(tmp_path / "out")]) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["image"]["modality"] == mammogram.id and "warning" not in result["findings"][0]
    assert main(["classify", str(picture), *options]) == 0
    assert "breast calcification" in capsys.readouterr().out


def test_the_page_offers_and_answers_it(mammogram, folder, picture, tmp_path):
    from tests.web.conftest import serve

    with serve(folder, AFLOC_DATA_DIR=str(tmp_path / "data")) as url, httpx.Client(base_url=url) as client:
        components = client.get("config").json()["components"]
        probe = next(each for each in components if each["props"].get("elem_id") == "probe")
        props = probe["props"]["props"]
        assert props["modalities"][mammogram.id] == mammogram.title and props["trained_on"] == ["mammogram"]
        assert props["descriptions"][mammogram.id]["simple"] == ["breast mass", "breast calcification"]
        token = json.loads(client.post("afloc/images", content=picture.read_bytes()).headers["X-AFLoc-Image"])

        def ask(name, **question):
            data = question | {"image": token["token"], "modality": mammogram.id}
            body = {"data": data, "component_id": probe["id"], "session_hash": "x", "fn_name": name}
            return client.post("gradio_api/component_server", json=body, timeout=60).json()

        answer = ask("locate", description="left breast mass")
        assert answer["modality"] == mammogram.id and answer["doubt"] is None and answer["finding"]["grid"]
        assert [each["name"] for each in ask("scan")["findings"]] == ["breast mass", "breast calcification"]


def test_its_texts_are_read_and_written(mammogram, tmp_path):
    assert find_by_label("mass of the breast").modality == mammogram.id
    assert read("a lump in the breast", mammogram.id).main.finding_id == "breast_mass"
    assert read("a white line", mammogram.id).main.status == "described"  # nor a structure: it has none
    assert read("brest lump", mammogram.id).suggestions == ("breast mass",)
    assert read_statements("No breast mass.", mammogram.id) == [Statement("breast_mass", "denied")]
    said = sentence_for(Statement("breast_mass", "affirmed"), mammogram.id, random.Random(0))
    assert read_statements(said, mammogram.id) == [Statement("breast_mass", "affirmed")]
    assert load_wordings(mammogram.id) == {}
    row = {"image": "a.png", "text": "Breast mass on the left.", "source": "own"}
    assert read_pair(row, tmp_path, mammogram.id).facts["breast_mass"].present == 1


def test_a_table_may_name_it(mammogram, picture):
    table = picture.with_suffix(".csv")
    table.write_text(f"image,labels,modality\n{picture.name},Mass of the breast,{mammogram.id}\n")
    (row,) = read_dataset(str(table)).rows
    assert row.modality == mammogram.id
    table.write_text(f"image,labels,modality\n{picture.name},Mass of the breast,mammography\n")
    with pytest.raises(DataError, match="none of chest_xray, fundus, histopathology, mammogram"):
        read_dataset(str(table))


def test_a_list_of_structures_alone_names_no_pathology(mammogram):
    path = findings.FOLDER / "organs.toml"
    path.write_text(LIST.replace("sided = true", "sided = true\nnormal = true"), encoding="utf-8")
    MODALITIES["organs"] = Modality("organs", "organs")
    try:
        assert read("a breast mass", "organs").main.status == "structure"
        assert read_statements("Breast mass.", "organs") == []
    finally:
        del MODALITIES["organs"]
