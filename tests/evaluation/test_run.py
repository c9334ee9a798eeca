import json
import os
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from afloc import read_image
from afloc.batch import job
from afloc.cli.main import main
from afloc.errors import DataError
from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.datasets.rows import Dataset
from afloc.evaluation.metrics import cnr, dice, iou, pointing
from afloc.evaluation.run import evaluate, mean_truths
from afloc.imaging import decoder_pool
from afloc.imaging.heatmap import enlarge, min_max
from tests import loaded
from tests.evaluation.sets import write_set


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def config(table, small_folder):
    from afloc import load_model

    return EvaluationConfig(read_dataset(table), load_model(small_folder, "cpu"))


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The folder of a run over the whole set."""
    folder = tmp_path_factory.mktemp("whole")
    evaluate(config, folder)
    return folder


def files_of(folder):
    summary = (folder / "summary.json").read_bytes()
    return summary, pq.read_table(folder / "cases.parquet").to_pylist()


def test_the_contract(whole, small_model):
    summary, cases = files_of(whole)
    summary = json.loads(summary)
    assert summary["model"] == {"name": "small", "fingerprint": small_model.fingerprint}
    assert (summary["protocol"], summary["n_images"], summary["n_cases"]) == ("native", 12, 12)
    assert {name: each["n"] for name, each in summary["categories"].items()} == {"Effusion": 8, "Nodule": 4}
    for each in summary["categories"].values():
        for metric in ("iou", "dice", "cnr", "pointing", "coverage"):
            assert each[metric]["mean"] is not None
            assert each[metric]["ci95"] is None  # of fewer than ten patients there is none
    for metric in ("iou", "dice", "cnr", "pointing"):
        each = [category[metric]["mean"] for category in summary["categories"].values()]
        assert summary["mean"][metric] == pytest.approx(np.mean(each), abs=1e-5)
        label = [case[metric] for case in cases if case["label"] == "Nodule"]
        assert summary["categories"]["Nodule"][metric]["mean"] == pytest.approx(np.mean(label), abs=1e-5)
    assert set(summary["classification"]) == {"north", "south"}
    north = summary["classification"]["north"]["Effusion"]
    assert (north["n_positive"], north["n_negative"]) == (6, 3) and 0 <= north["auroc"]["mean"] <= 1
    placed = summary["detection"]["north"]["labels"]["Effusion"]
    assert (placed["n_positive"], placed["n_negative"]) == (6, 3) and placed["n_regions"] >= 6
    assert 0 <= placed["lroc"]["mean"] <= north["auroc"]["mean"], "the place must be right, too"
    assert list(placed["regions_found"]) == ["0.25", "0.5", "1", "2", "4", "8"]
    for metric in ("pixel_ap", "aupro", "center_distance", "center_distance_share"):
        assert summary["categories"]["Nodule"][metric]["mean"] >= 0


def test_a_case_is_what_the_model_answers(whole, table, config):
    for case in files_of(whole)[1]:
        image = read_image(table.parent / case["image"])
        # of the model that was measured: one that has encoded the text beside others may round otherwise, and
        # a cell next to a threshold would change sides
        finding = config.model.encode(image).locate(case["description"])
        mask = config.dataset.rows[case["row"]].truths[case["truth"]].draw(image.height, image.width)
        heatmap = min_max(finding.heatmap)
        levels = (0.1, 0.2, 0.3, 0.4, 0.5)
        assert case["score"] == pytest.approx(finding.score, abs=1e-6) and case["present"] == finding.present
        assert case["iou"] == pytest.approx(np.mean([iou(heatmap, mask, t) for t in levels]), abs=1e-5)
        assert case["dice"] == pytest.approx(np.mean([dice(heatmap, mask, t) for t in levels]), abs=1e-5)
        assert case["cnr"] == pytest.approx(cnr(heatmap, mask), abs=1e-4)
        assert case["pointing"] == pytest.approx(pointing(heatmap, mask))
        assert case["anatomy_cnr"] == 0, "these images show no lungs, so anatomy knows no place"
        assert case["fixed_iou"][9] == pytest.approx(iou(finding.heatmap, mask, 0.5), abs=1e-6)
    effusions = [case for case in files_of(whole)[1] if case["label"] == "Effusion"]
    assert {case["description"] for case in effusions} == {"pleural effusion is present"}
    assert {case["ground_truth"] for case in effusions} == {"mask", "box"}


def test_a_run_that_was_interrupted_goes_on_to_the_same_figures(whole, config, tmp_path, monkeypatch):
    reads = 0

    def read(path):
        nonlocal reads
        reads += 1
        if reads == 7:
            raise KeyboardInterrupt
        return read_image(path)

    monkeypatch.setattr(job, "read_image", read)
    with pytest.raises(KeyboardInterrupt):
        evaluate(config, tmp_path)
    assert not (tmp_path / "summary.json").exists()
    evaluate(config, tmp_path)
    assert reads == 7 + 12 - 6, "what was measured is not measured again"
    assert files_of(tmp_path) == files_of(whole)
    evaluate(config, tmp_path)
    assert reads == 13 and files_of(tmp_path) == files_of(whole)


def test_shards_merged_are_the_whole(whole, config, tmp_path):
    seen = [evaluate(config, tmp_path, (shard, 3))["n_images"] for shard in (2, 0, 1)]
    assert seen == [4, 8, 12]
    assert files_of(tmp_path) == files_of(whole)


@pytest.mark.parametrize("protocol", ["native", "paper"])
def test_every_file_is_decoded_once(config, tmp_path, monkeypatch, protocol):
    """Of each case: the image, and its mask for the map, its grid and the three baselines."""
    decoded = []

    def ask(task, content, file_bytes, **options):
        decoded.append(task)
        return pool_ask(task, content, file_bytes, **options)

    pool_ask = decoder_pool.ask
    monkeypatch.setattr(decoder_pool, "ask", ask)
    masked = [row for row in config.dataset.rows if row.truths and row.truths[0].mask]
    dataset = Dataset("masked", tuple(masked[:2]))
    evaluate(EvaluationConfig(dataset, config.model, protocol), tmp_path)
    assert sorted(decoded) == ["mask"] * 2 + ["read"] * 2


def test_the_mean_ground_truth_of_another_set(config, whole, tmp_path, tmp_path_factory):
    other = read_dataset(write_set(tmp_path_factory.mktemp("other"), images=4))
    evaluate(config, tmp_path, prior=other)
    mean = mean_truths(other)["pleural_effusion"]
    for case, before in zip(files_of(tmp_path)[1], files_of(whole)[1], strict=True):
        if case["label"] == "Effusion":
            size = case["height"], case["width"]
            mask = config.dataset.rows[case["row"]].truths[case["truth"]].draw(*size)
            assert case["truth_mean_cnr"] == pytest.approx(cnr(enlarge(mean, *size), mask), abs=1e-4)
            assert case["truth_mean_cnr"] != before["truth_mean_cnr"]
            assert case["own_mean_cnr"] == before["own_mean_cnr"]


def test_the_published_protocol(released_checkpoint, tmp_path):
    table = write_set(tmp_path / "set", images=6)
    options = ["--protocol", "paper", "--model", released_checkpoint, "--out", tmp_path / "o", "--no-figures"]
    arguments = ["evaluate", table, *options]
    assert main([str(each) for each in arguments]) == 0
    summary, cases = files_of(tmp_path / "o")
    assert json.loads(summary)["protocol"] == "paper" and json.loads(summary)["honest"] is None
    assert all(case["probability"] is None and 0 <= case["iou"] <= 1 for case in cases)
    assert all(-5 < case["own_mean_cnr"] < 5 for case in cases)


def test_a_second_reader_is_held_against_the_same_sentence(config, tmp_path):
    """Two sentences of one film have one label; the second reader drew what the first did, for each."""
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "1.png")
    sentences = [
        {"sentence_en": text, "abnormal": True, "labels": ["pleural effusion"], "boxes": [box]}
        | {"extra_boxes": [box]}
        for text, box in (("On the right.", [0, 0, 0.5, 0.5]), ("On the left.", [0.5, 0.5, 1, 1]))
    ]
    table = tmp_path / "grounded_reports_20240819.json"
    table.write_text(json.dumps([{"StudyID": "1", "ImageID": "1.png", "findings": sentences}]))
    evaluate(EvaluationConfig(read_dataset(table), config.model), tmp_path / "out")
    assert [case["reader_iou"] for case in files_of(tmp_path / "out")[1]] == [1, 1]


def test_a_folder_of_another_run_is_left_alone(whole, config, tmp_path):
    before = files_of(whole)
    with pytest.raises(DataError, match="another protocol"):
        evaluate(EvaluationConfig(config.dataset, config.model, "paper"), whole)
    assert files_of(whole) == before
    (tmp_path / "summary.json").write_text("mine")
    with pytest.raises(DataError, match="holds a summary.json"):
        evaluate(config, tmp_path)
    assert os.listdir(tmp_path) == ["summary.json"]


def test_bad_ground_truth_writes_nothing(table, small_folder, tmp_path, capsys):
    bad = table.parent / "bad.csv"
    bad.write_text(table.read_text().replace('""h"": 9}', '""h"": 900}', 1))
    arguments = ["evaluate", bad, "--model", small_folder, "--out", tmp_path / "o"]
    assert main([str(each) for each in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert "row 3, column boxes" in captured.err
    assert not (tmp_path / "o").exists()


def test_killed_at_any_moment(table, small_folder, whole, tmp_path, long):
    """SIGKILL after each further part; the run left alone in the end has an undisturbed one's figures."""
    command = ["evaluate", str(table), "--model", str(small_folder), "--out", str(tmp_path), "--no-figures"]
    for count in range(1, 9 if long else 2):
        process = loaded.start(main, command)
        while process.is_alive() and len(list(tmp_path.glob("parts/0*"))) < count:
            time.sleep(0.005)
        process.kill()
        process.join()
    assert not (tmp_path / "summary.json").exists() or long
    assert main(command) == 0
    assert files_of(tmp_path) == files_of(whole)
