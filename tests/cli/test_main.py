import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from afloc.cli.main import COMMANDS, main
from tests.released import REFERENCE

FILM = str(REFERENCE / "images" / "pattern_3.png")  # 150 x 301


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def test_locate_writes_the_result(tmp_path, small_folder):
    texts = ["left pleural effusion", "cardiomegaly", "left lung " * 50]
    options = ("--model", small_folder, "--out", tmp_path / "o", "--threshold", 0.4)
    assert run("locate", FILM, *texts, *options) == 0
    result = json.loads((tmp_path / "o" / "result.json").read_text())
    assert list(result) == ["image", "model", "protocol", "findings"]
    assert result["image"] == {"width": 150, "height": 301, "modality": "chest_xray"}
    assert result["model"]["name"] == "small" and len(result["model"]["fingerprint"]) == 12
    assert result["protocol"] == "native"
    assert [finding["text"] for finding in result["findings"]] == texts
    for number, finding in enumerate(result["findings"]):
        heatmap = np.load(tmp_path / "o" / finding["heatmap"])
        assert finding["heatmap"] == f"{number}.npy" and finding["overlay"] == f"{number}.png"
        assert heatmap.shape == (301, 150) and heatmap.dtype == np.float32
        assert heatmap.min() >= 0 and heatmap.max() <= 1
        assert Image.open(tmp_path / "o" / finding["overlay"]).size == (150, 301)
        assert isinstance(finding["present"], bool) and 0 <= finding["probability"] <= 1
        assert ("warning" in finding) == (number == 2)
        assert all(region["score"] >= 0.4 for region in finding["regions"])
        assert bool(finding["regions"]) == bool((heatmap >= 0.4).any())


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


def test_tables(capsys, small_folder):
    assert run("locate", FILM, "effusion", "left lung", "--model", small_folder) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[2].startswith("effusion ") and table[2].endswith("evidence for it")
    assert table[3].endswith("  no verdict"), "of a calibrated model"
    assert run("classify", FILM, "--model", small_folder, "--findings", "pneumothorax, big heart") == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows[0].startswith("pneumothorax ") and rows[1].startswith("big heart ")
    assert run("classify", FILM, "--model", small_folder) == 0
    assert len(capsys.readouterr().out.splitlines()) > 10


def test_convert(capsys, tmp_path, released_checkpoint):
    assert run("convert", released_checkpoint, tmp_path / "folder") == 0
    assert (tmp_path / "folder" / "config.json").is_file()
    assert run("convert", released_checkpoint, tmp_path / "folder") == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["locate", "no/such/film.png", "effusion"],
        ["locate", FILM, "effusion", "--model", "no/such/model"],
        ["locate", FILM, "effusion", "--model", FILM],
        ["locate", FILM, "..."],
        ["locate", FILM, "effusion", "--out", FILM],
        ["classify", FILM, "--findings", ","],
    ],
)
def test_an_error_is_one_sentence(capsys, small_folder, arguments):
    if "--model" not in arguments:
        arguments = [*arguments, "--model", small_folder]
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1 and captured.err.endswith(".\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["locate", FILM],
        ["find", FILM],
        ["locate", FILM, "a", "--threshold", "nan"],
        ["locate", FILM, "a", "--device", "tpu"],
    ],
)
def test_a_wrong_command_is_one_sentence(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


OF_THE_MODEL = dict.fromkeys(
    ("locate", "classify", "embed", "evaluate", "convert", "bench"), {"--model", "--device"}
)
OF_THE_MODEL |= {"deploy": {"--model"}}


@pytest.mark.parametrize("command", [add.__name__.removeprefix("add_") for add in COMMANDS])
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as caught:
        run(command, "--help")
    assert caught.value.code == 0
    words = set(capsys.readouterr().out.replace("[", " ").split())
    assert {"--model", "--device"} & words == OF_THE_MODEL.get(command, set())


HELP = """
import sys
import afloc.__main__
from afloc.cli.main import COMMANDS, main
afloc.AFLocError
for command in [[add.__name__.removeprefix("add_")] for add in COMMANDS] + [["--version"]]:
    try:
        main([*command, "--help"])
    except SystemExit as end:
        assert end.code == 0
    slow = {"torch", "duckdb", "pandas", "numpy", "pyarrow", "plotly", "gradio"} & sys.modules.keys()
    assert not slow, f"{command}: {slow}"
"""


def test_import_and_help_wait_for_no_library():
    subprocess.run([sys.executable, "-c", HELP], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("shard", ["1", "2/2", "a/b", "-1/2"])
def test_a_shard_that_is_none(capsys, small_folder, tmp_path, shard):
    arguments = ("--out", tmp_path / "o", "--model", small_folder, f"--shard={shard}")
    for command in ("embed", "evaluate"):
        assert run(command, tmp_path / "no.csv", *arguments) == 2
        assert "takes I/N, I from 0 to N - 1.\n" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


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
