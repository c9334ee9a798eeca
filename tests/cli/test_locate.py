import json
import re
import shutil

import numpy as np
import pydicom
import pytest
import skimage.data
from PIL import Image
from safetensors.torch import load_file, save_file

from afloc.imaging.examples import EXAMPLES
from tests.cli.test_main import FILM, run
from tests.imaging.dicoms import dicom
from tests.pacs.sources import source
from tests.released import REFERENCE


@pytest.fixture
def chest_film(tmp_path):
    """A picture that looks like a chest film, as FILM does not: small_folder answers it without a doubt."""
    Image.fromarray(EXAMPLES[0].load().gray()).resize((150, 160)).save(tmp_path / "film.png")
    return tmp_path / "film.png"


def test_locate_writes_the_result(tmp_path, small_folder, chest_film):
    texts = ["pleural effusion", "no cardiomegaly", "left lung " * 50]
    options = ("--model", small_folder, "--out", tmp_path / "o", "--threshold", 0.4)
    assert run("locate", chest_film, *texts, *options) == 0
    result = json.loads((tmp_path / "o" / "result.json").read_text())
    assert list(result) == ["image", "model", "protocol", "findings"]
    assumed = {"patient_right": "left", "view": "frontal", "eye": None, "source": "assumed"}
    about = {"width": 150, "height": 160, "modality": "chest_xray", "orientation": assumed}
    assert result["image"] == about | {"doubt": None}
    assert result["model"]["name"] == "small" and len(result["model"]["fingerprint"]) == 12
    assert result["protocol"] == "native"
    assert [finding["text"] for finding in result["findings"]] == texts
    for number, finding in enumerate(result["findings"]):
        heatmap = np.load(tmp_path / "o" / finding["heatmap"])
        assert finding["heatmap"] == f"{number}.npy" and finding["overlay"] == f"{number}.png"
        assert heatmap.shape == (160, 150) and heatmap.dtype == np.float32
        assert heatmap.min() >= 0 and heatmap.max() <= 1
        assert Image.open(tmp_path / "o" / finding["overlay"]).size == (150, 160)
        assert ("warning" in finding) == (number == 2)
        assert all(region["score"] >= 0.4 for region in finding["regions"])
        assert bool(finding["regions"]) == bool((heatmap >= 0.4).any())
    effusion, absent, lung = result["findings"]
    for finding in (effusion, absent):
        assert isinstance(finding["present"], bool) and 0 <= finding["probability"] <= 1
    assert effusion["holds"] == effusion["present"] and absent["holds"] != absent["present"]
    assert absent["asked"]["status"] == "denied" and absent["asked"]["finding"] == "cardiomegaly"
    assert lung["probability"] is None and lung["holds"] is None and lung["cautions"] == [lung["warning"]]


def test_figures_hold_a_map_against_its_ground_truth(tmp_path, small_folder, chest_film, capsys):
    boxes = [{"label": label, "x": 20, "y": 30, "w": 40, "h": 50} for label in ("Mass", "Effusion")]
    (tmp_path / "truth.json").write_text(json.dumps(boxes))
    asked = "locate", chest_film, "pleural effusion", "banana", "--model", small_folder
    assert run(*asked, "--truth", tmp_path / "truth.json") == 2
    assert "need --out" in capsys.readouterr().err
    out = tmp_path / "o"
    assert run(*asked, "--truth", tmp_path / "truth.json", "--out", out) == 0
    effusion, other = json.loads((out / "numbers.json").read_text())["findings"]
    assert effusion["finding"] == "Effusion" and effusion["extent"] == 40 * 50 / (150 * 160)
    assert other["finding"] == "banana" and other["iou"] is None  # two findings are marked, and it is neither
    drawn = {path.name for path in out.iterdir() if re.match(r"\d-", path.name)}
    kinds = "svg", "pdf", "png"
    assert drawn == {f"{name}.{kind}" for name in ("0-figure", "0-curve", "1-figure") for kind in kinds}
    assert "IoU" in (out / "0-figure.svg").read_text()


def test_what_is_in_doubt_is_not_judged(tmp_path, small_folder):
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photo.png")
    said = ["locate", tmp_path / "photo.png", "effusion", "--modality", "chest_xray"]
    assert run(*said, "--model", small_folder, "--out", tmp_path) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    (finding,) = result["findings"]
    assert result["image"]["doubt"]["degree"] == "stopped"
    assert finding["cautions"] == [result["image"]["doubt"]["sentence"]]
    assert [finding[key] for key in ("probability", "present", "holds", "operating_point")] == [None] * 4
    assert finding["regions"] is not None and 0 <= finding["score"] <= 1


def test_a_frame_of_a_file(capsys, tmp_path, small_folder):
    frames = np.random.default_rng(0).integers(0, 256, (3, 40, 30), np.uint8)
    path = tmp_path / "frames.dcm"
    path.write_bytes(dicom(frames, PatientOrientation=["R", "F"]))
    model = ("--model", small_folder, "--modality", "chest_xray")
    assert run("locate", path, "effusion", "--frame", 2, "--out", tmp_path / "o", *model) == 0
    result = json.loads((tmp_path / "o" / "result.json").read_text())
    said = {"patient_right": "right", "view": "frontal", "eye": None, "source": "file"}
    assert result["image"]["orientation"] == said
    painted = np.asarray(Image.open(tmp_path / "o" / "0.png").convert("L"), float)
    off = [abs(painted - frame).mean() for frame in frames]
    assert off[2] < min(off[:2]) / 2  # the overlay lies on the frame that was asked for
    capsys.readouterr()
    tables = []
    for arguments in ((path, "--frame", 2), (path, "--frame", 0)):
        assert run("classify", *arguments, *model) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] != tables[1]
    assert run("locate", path, "effusion", "--frame", 3, *model) == 2
    assert "ask for one from 0 to 2" in capsys.readouterr().err
    assert run("classify", tmp_path / "table.csv", "--frame", 1, *model) == 2
    assert "--frame is for one image" in capsys.readouterr().err


def test_locate_by_the_published_protocol(tmp_path, released_checkpoint):
    expected = json.loads((REFERENCE / "expected.json").read_text())
    prompts = expected["prompts"]
    arguments = ("--model", released_checkpoint, "--protocol", "paper", "--out", tmp_path)
    assert run("locate", FILM, *prompts, "pneumothorax", *arguments) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    vectors = np.load(REFERENCE / "expected.npz")
    scores = [row["global_cosine"] for row in expected["rows"] if row.get("image") == "pattern_3"]
    for number, finding in enumerate(result["findings"][:-1]):
        heatmap = np.load(tmp_path / finding["heatmap"])
        assert np.nanmax(np.abs(heatmap - vectors[f"heatmap/pattern_3/{number}"])) <= 0.003
        assert finding["score"] == pytest.approx(scores[number], abs=1e-4)
        assert finding["probability"] is None and finding["present"] is None and "warning" not in finding
    assert "drops every part" in result["findings"][-1]["warning"]


def test_tables(capsys, small_folder, chest_film):
    assert run("locate", chest_film, "effusion", "no effusion", "left lung", "--model", small_folder) == 0
    effusion, denied, said, lung = capsys.readouterr().out.splitlines()[2:]
    _, *numbers, verdict = re.split("  +", effusion)
    assert effusion.startswith("effusion ") and verdict in ("flagged", "not flagged")
    assert re.split("  +", denied)[-2:] == [numbers[-1], verdict], "one probability, and no double negative"
    assert said.strip() == f"You asked for its absence. Pleural effusion: {verdict}, {numbers[-1]}."
    assert lung.endswith("  not judged"), "of a calibrated model"
    assert run("classify", chest_film, "--model", small_folder, "--findings", "pneumothorax, big heart") == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows[0].startswith("pneumothorax ") and rows[1].startswith("big heart ")
    assert run("classify", chest_film, "--model", small_folder) == 0
    assert len(capsys.readouterr().out.splitlines()) > 10


def test_a_model_that_computes_no_number_writes_nothing(tmp_path, small_folder, capsys):
    folder = shutil.copytree(small_folder, tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    next(each for name, each in weights.items() if "global_projection" in name).view(-1)[0] = np.nan
    save_file(weights, folder / "model.safetensors")
    (tmp_path / "table.csv").write_text(f"image\n{FILM}\n")
    for command in (["locate", FILM, "effusion"], ["embed", tmp_path / "table.csv"]):
        assert run(*command, "--modality", "chest_xray", "--model", folder, "--out", tmp_path / "out") == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("The model computed something")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.suffix != ".json"] == [".part-0-of-1"]


def test_dicom_results_beside_the_others(tmp_path, small_folder, capsys):
    pytest.importorskip("highdicom", reason="the extra afloc[pacs] is not installed")
    path = tmp_path / "film.dcm"
    path.write_bytes(source(PatientSex="female"))
    options = (
        "--model",
        small_folder,
        "--out",
        tmp_path / "o",
        "--dicom",
        tmp_path / "d",
        "--threshold",
        0.4,
    )
    options += ("--dicom", tmp_path / "d", "--modality", "chest_xray")
    assert run("locate", path, "effusion", "big heart", *options) == 0
    assert "female" not in capsys.readouterr().err
    names = ["0-map.dcm", "0-report.dcm", "1-map.dcm", "1-report.dcm"]
    assert sorted(each.name for each in (tmp_path / "d").iterdir()) == names
    written = [pydicom.dcmread(tmp_path / "d" / name) for name in names]
    for number in range(2):
        heatmap = np.load(tmp_path / "o" / f"{number}.npy")
        stored = np.frombuffer(written[2 * number].FloatPixelData, "<f4").reshape(heatmap.shape)
        np.testing.assert_array_equal(stored, heatmap)
    assert len({each.SeriesInstanceUID for each in written}) == 2  # one of maps, one of reports
    assert [each.InstanceNumber for each in written] == [1, 1, 2, 2]


def test_dicom_results_that_cannot_be_are_refused_before_a_model_is_read(tmp_path, capsys, monkeypatch):
    path = tmp_path / "film.dcm"
    path.write_bytes(source())
    unnamed = tmp_path / "unnamed.dcm"
    unnamed.write_bytes(dicom(np.zeros((40, 30), np.uint8)))
    options = ("effusion", "--model", tmp_path / "no model", "--dicom", tmp_path / "d")

    def refusal(*arguments) -> str:
        assert run("locate", *arguments, *options) == 2
        (sentence,) = capsys.readouterr().err.splitlines()
        return sentence

    with monkeypatch.context() as patch:
        patch.setattr("afloc.pacs.extra.EXTRA", ("no_such_package",))
        assert "pip install 'afloc[pacs]'" in refusal(path)
    pytest.importorskip("highdicom", reason="the extra afloc[pacs] is not installed")
    assert "is no DICOM file" in refusal(FILM)
    assert "does not name its study" in refusal(unnamed)
    assert "--protocol native" in refusal(path, "--protocol", "paper")
    assert "ask for frame 0" in refusal(path, "--frame", 1)
    assert "no model" in refusal(path) and not (tmp_path / "d").exists()
