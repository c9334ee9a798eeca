import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afloc import read_image
from afloc.batch import image_tables, job
from afloc.batch.execution import Execution
from afloc.batch.image_tables import Vectors, Verdicts, answer_table
from afloc.cli.main import main
from afloc.errors import DataError
from afloc.model.calibration import Calibration, Levels
from tests.evaluation.sets import write_set


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The drawn images of a set, and one that cannot be read."""
    path = write_set(tmp_path_factory.mktemp("set"))
    with path.open("a", newline="") as file:
        csv.writer(file).writerow(["images/missing.png", "", "", "", "", ""])
    return path


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(image_tables, "CHUNK_IMAGES", 3)


def test_vectors_are_those_of_the_views(table, small_model, tmp_path):
    rows = pq.read_table(answer_table(table, small_model, Vectors(), tmp_path)).to_pylist()
    assert [row["image"] for row in rows] == [f"images/{n}.png" for n in range(12)] + ["images/missing.png"]
    for row in rows[:-1]:
        image = read_image(table.parent / row["image"])
        view = small_model.encode(image)
        np.testing.assert_allclose(row["embedding"], view.embedding, atol=1e-6)
        assert np.linalg.norm(row["embedding"]) == pytest.approx(1, abs=1e-5)
        assert (row["width"], row["height"]) == (image.width, image.height)
        assert (row["model"], row["fingerprint"]) == ("small", small_model.fingerprint)
    assert rows[-1]["embedding"] is None and rows[-1]["error"].endswith(".")


def test_a_vector_and_a_description_give_the_score(table, small_model, monkeypatch):
    """What `embed` writes is what `locate` scores, where no share of it is local."""
    calibration = Calibration(Levels.alike(8.0, -0.5), sentence_weight=0.0)
    monkeypatch.setattr(small_model, "calibration", lambda modality: calibration)
    view = small_model.encode(read_image(table.parent / "images/0.png"))
    tokens, _ = small_model.read_text("effusion")
    report = small_model.encode_texts([tokens])[0].report[0].numpy()
    logit = 8.0 * view.embedding @ (report / np.linalg.norm(report)) - 0.5
    assert view.locate("effusion").score == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)


def test_verdicts_are_those_of_classify(table, small_folder, small_model, tmp_path, capsys):
    asked = ["--findings", "pneumothorax, big heart", "--model", small_folder, "--out", tmp_path]
    assert main([str(each) for each in ("classify", table, *asked, "--shard", "1/2")]) == 0
    assert "part-1-of-2.parquet" in capsys.readouterr().out
    rows = pq.read_table(tmp_path / "part-1-of-2.parquet").to_pylist()
    assert [row["image"] for row in rows] == [f"images/{n}.png" for n in range(6, 12) for _ in "ab"] + [
        "images/missing.png"
    ]
    found = small_model.encode(read_image(table.parent / rows[0]["image"])).classify(
        ["pneumothorax", "big heart"]
    )
    for row, finding in zip(rows, found, strict=False):
        assert row["description"] == finding.text and row["present"] == finding.present
        assert row["score"] == pytest.approx(finding.score, abs=1e-6)
        assert row["probability"] == pytest.approx(finding.probability, abs=1e-6)
    assert [row["finding"] for row in rows[:2]] == ["pneumothorax", "big heart"]


def test_parts_of_shards_are_the_whole_in_any_order(table, small_model, tmp_path):
    whole = pq.read_table(answer_table(table, small_model, Verdicts(), tmp_path / "whole"))
    for shard in (3, 0, 2, 1):
        answer_table(table, small_model, Verdicts(), tmp_path / "shards", Execution((shard, 4)))
    parts = [tmp_path / "shards" / f"part-{shard}-of-4.parquet" for shard in range(4)]
    assert pa.concat_tables(map(pq.read_table, parts)) == whole
    assert sorted((tmp_path / "shards").iterdir()) == [*parts, tmp_path / "shards" / "run.json"]


def test_a_run_that_was_killed_goes_on_behind_its_last_chunk(table, small_model, tmp_path, monkeypatch):
    reads = []

    def read(path):
        reads.append(path)
        if len(reads) == 8:
            raise KeyboardInterrupt
        return read_image(path)

    monkeypatch.setattr(job, "read_image", read)
    with pytest.raises(KeyboardInterrupt):
        answer_table(table, small_model, Vectors(), tmp_path)
    assert not list(tmp_path.glob("*.parquet"))
    part = answer_table(table, small_model, Vectors(), tmp_path)
    assert len(reads) == 9 + 13 - 6, "what was answered is not asked again"  # one was being read ahead
    before = part.read_bytes()
    answer_table(table, small_model, Vectors(), tmp_path)
    assert len(reads) == 16 and part.read_bytes() == before


def test_a_parquet_table_with_modalities(small_model, table, tmp_path):
    listed = {"image": ["images/0.png", "images/1.png"], "modality": ["fundus", None]}
    pq.write_table(pa.table(listed), table.parent / "list.parquet")
    part = answer_table(table.parent / "list.parquet", small_model, Vectors(), tmp_path)
    assert pq.read_table(part)["modality"].to_pylist() == ["fundus", "chest_xray"]


@pytest.mark.parametrize("content", ["path\n1.png\n", "image,modality\n1.png,brain\n", "image\n\n,\n", ""])
def test_a_wrong_table_is_one_sentence(small_folder, tmp_path, content, capsys):
    (tmp_path / "t.csv").write_text(content)
    arguments = ["embed", tmp_path / "t.csv", "--out", tmp_path / "o", "--model", small_folder]
    assert main([str(each) for each in arguments]) == 2
    captured = capsys.readouterr().err
    assert len(captured.splitlines()) == 1 and "t.csv" in captured


def test_the_folder_of_another_run_is_left_alone(table, small_model, tmp_path):
    answer_table(table, small_model, Vectors(), tmp_path)
    kind = json.loads((tmp_path / "run.json").read_text())["kind"]
    assert kind == "embed"
    with pytest.raises(DataError, match="another kind"):
        answer_table(table, small_model, Verdicts(), tmp_path)
    with pytest.raises(DataError, match="another shards"):
        answer_table(table, small_model, Vectors(), tmp_path, Execution((0, 2)))
