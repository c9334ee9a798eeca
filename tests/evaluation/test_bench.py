"""The benchmark: its shape, its texts, and that its naive path is the released pipeline's."""

import json
from functools import cached_property

import numpy as np
import pytest

from afloc import load_model
from afloc.cli.main import main
from afloc.evaluation import bench
from afloc.imaging.image import read_image
from afloc.inference.view import View


def test_the_figures_of_a_model(small_model):
    figures = bench.time_model(small_model, runs=2)
    assert list(figures) == list(bench.SCENARIOS)
    for each in figures.values():
        assert set(each) == {"p50_ms", "p95_ms", "ratio"} and 0 < each["p50_ms"] <= each["p95_ms"]
        assert each["ratio"] > 0


def test_an_answer_is_all_that_the_page_shows(small_model, monkeypatch):
    """Of each description a finding, the maps of its words and the remarks; of the image the doubt."""
    asked = []
    for name in ("doubt", "locate_all", "words", "remarks"):
        real = getattr(View, name)
        once = isinstance(real, cached_property)
        noted = (lambda n, f: lambda *given: asked.append(n) or f(*given))(name, real.func if once else real)
        if once:
            noted = cached_property(noted)
            noted.__set_name__(View, name)
        monkeypatch.setattr(View, name, noted)
    bench.answer(small_model, next(bench.films(64)), ["edema", "a nodule"])
    assert asked == ["doubt", "locate_all", *["words", "remarks"] * 2]


def test_the_film_that_is_opened_is_a_dicom_file_of_16_bits():
    film = read_image(next(bench.film_files(300, 250)))
    assert film.pixels.shape == (300, 250) and film.pixels.dtype == np.uint16


def test_json_is_all_that_is_written_to_stdout(small_folder, monkeypatch, capsys):
    monkeypatch.setattr(bench, "MODELS", (("embedded", small_folder, 1),))
    assert main(["bench", "--json", "--device", "cpu", "--runs", "2"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert list(report) == ["embedded"] and set(report["embedded"]) == {
        *bench.SCENARIOS,
        *("cold_start_s", "memory_mb"),
    }
    assert report["embedded"]["cold_start_s"] > 0 and report["embedded"]["memory_mb"] > 50
    assert "fresh process" in err
    table = bench.to_table(report | {"published_size": report["embedded"]})
    assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_model_stands_in_for_the_embedded_one(small_folder, monkeypatch):
    asked = []
    monkeypatch.setattr(bench, "MODELS", (("embedded", None, 1), ("published_size", "random", 1)))
    monkeypatch.setattr(bench, "cold_start", lambda source, *_: asked.append(source) or {})
    monkeypatch.setattr(bench, "load_model", lambda source, device: source)
    monkeypatch.setattr(bench, "time_model", lambda *_: {})
    assert list(bench.bench(small_folder)) == ["model", "published_size"]
    assert list(bench.bench()) == ["embedded", "published_size"]
    assert asked == [small_folder, "random", None, "random"]


def test_descriptions_have_8_to_12_tokens_and_films_differ():
    tokenizer = load_model(None, "cpu").tokenizer
    texts = list(bench.descriptions())
    assert len(set(texts)) == len(texts) == 5760
    assert {len(tokenizer(text).ids) for text in texts} <= set(range(8, 13))
    films = bench.films(64)
    assert next(films).digest != next(films).digest


def test_the_naive_path_computes_the_published_map(released_checkpoint):
    model = load_model(released_checkpoint, "cpu")
    image = next(bench.films(300))
    for text in ("left pleural effusion", "a small round opacity in the right lung base"):
        expected = model.encode(image, protocol="paper").locate(text).heatmap
        assert np.nanmax(np.abs(bench.NaivePath(model)(image, text) - expected)) < 1e-3


def test_a_small_number_of_runs_is_checked(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--runs", "0"])
    assert "number of runs" in capsys.readouterr().err
