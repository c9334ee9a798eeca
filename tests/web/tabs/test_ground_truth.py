"""The Ground truth tab in a real browser: its figures are the command line's."""

import base64
import csv
import errno
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.testclient import TestClient

from afloc.cli.main import main
from afloc.errors import DataError
from afloc.evaluation.datasets.masks import encode_runs
from afloc.evaluation.metrics import curve, dice, iou
from afloc.imaging.examples import EXAMPLES
from afloc.imaging.heatmap import min_max
from afloc.web.messages import GroundTruthEntry
from afloc.web.paths import IMAGES, RUNS
from afloc.web.routes.ground_truth_json import draw, outline
from afloc.web.routes.images import image_routes
from afloc.web.routes.sets import run_routes
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.open_images import IDLE_SECONDS, OpenImages
from afloc.web.state.set_uploads import LONGEST_NAME, MOST_ENTRIES, MOST_SETS, SetUploads
from tests.evaluation.figures.test_image_figure import pictures
from tests.evaluation.sets import box, write_set, write_table
from tests.web.conftest import call_of, held
from tests.web.tabs.test_probe import to_png

FILM = EXAMPLES[0]
BOX = FILM.boxes[0]
VIEWER = "#ground_truth .viewer"
SENTENCE = "pleural effusion is present"


@pytest.fixture
def tab(page):
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector(f"{VIEWER}[data-answer='1'][data-state='ready']")
    return page


@pytest.fixture(scope="module")
def heatmap(model):
    return model.encode(FILM.load()).locate(SENTENCE).heatmap


def move_slider(tab, threshold):
    tab.locator("#ground_truth .slider").fill(str(threshold))


def shown(tab, column, row=0):
    text = tab.locator(f"#ground_truth .figures td.{column}").nth(row).inner_text()
    return float(text.replace("−", "-"))


def published(tab, column, row=0):
    return float(
        tab.locator("#ground_truth .findings tbody tr").nth(row).locator("td").nth(column).inner_text()
    )


def give(tab, name, content, kind="truth"):
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    tab.set_input_files(f"#ground_truth .of-{kind}", file)


def answered(tab, number):
    tab.wait_for_selector(f"{VIEWER}[data-answer='{number}'][data-state='ready']")


def test_figures_follow_the_slider_without_the_server(tab, heatmap):
    mask = np.zeros(heatmap.shape, bool)
    x, y, w, h = BOX[1:]
    mask[y : y + h, x : x + w] = True
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    for threshold in (-0.5, 0.1, 0.37, 0.9):
        move_slider(tab, threshold)
        assert shown(tab, "iou") == pytest.approx(iou(min_max(heatmap), mask, threshold), abs=5.1e-4)
        assert shown(tab, "dice") == pytest.approx(dice(min_max(heatmap), mask, threshold), abs=5.1e-4)
    tab.click("[data-scale=fixed]")
    for threshold in (0.2, 0.5, 0.95):
        move_slider(tab, threshold)
        at = curve(heatmap, mask, (threshold,))
        assert shown(tab, "iou") == pytest.approx(at.iou[0], abs=5.1e-4)
        assert (tab.inner_text("#ground_truth .figures .hit") == "empty") == (at.area[0] == 0)
    assert requests == []


def test_published_figures_are_those_of_evaluate(tab, model_folder, tmp_path):
    PIL.Image.fromarray(FILM.load().gray()).save(tmp_path / "film.png")
    rows = [{"image": "film.png", "labels": BOX[0], "boxes": json.dumps([box(*BOX)])}]
    table = write_table(tmp_path / "set.csv", rows)
    arguments = [
        "evaluate",
        str(table),
        "--model",
        str(model_folder),
        "--out",
        str(tmp_path / "out"),
        "--no-figures",
    ]
    assert not main(arguments)
    expected = json.loads((tmp_path / "out" / "summary.json").read_text())["categories"][BOX[0]]
    assert tab.input_value("#ground_truth textarea >> nth=0") == SENTENCE
    for column, metric, within in ((2, "iou", 5.1e-4), (3, "dice", 5.1e-4), (5, "pointing", 0.51)):
        assert published(tab, column) == pytest.approx(expected[metric]["mean"], abs=within)


def test_dropped_files(tab):
    label = tab.locator("#ground_truth .pick")
    give(tab, "bad.json", b'[{"label": "Effusion", "x": 1}]')
    problem = tab.locator("#ground_truth .problem")
    expect(problem).to_have_text("bad.json, boxes: each box needs label, x, y, w and h.")
    expect(label).to_have_text(BOX[0])  # what was there is still there
    assert shown(tab, "iou") >= 0
    give(tab, "two.json", json.dumps([box("Nodule", 100, 100, 60, 50), box("Mass", 5, 5, 300, 200)]).encode())
    answered(tab, 2)
    expect(label).to_have_text(["Nodule", "Mass"])
    expect(problem).to_be_empty()
    mask = to_png(np.pad(np.full((200, 100), 255, np.uint8), ((600, 224), (700, 224))))
    give(tab, "mask.png", mask)
    answered(tab, 3)
    expect(label).to_have_text(["Nodule", "Mass"])  # beside the mask, which nobody named
    name = tab.locator("#ground_truth .findings .name")
    expect(name).to_have_attribute("placeholder", "What does mask.png mark?")
    expect(tab.locator("#ground_truth .figures td.iou")).to_have_text("–")
    expect(tab.locator("#ground_truth textarea >> nth=0")).to_be_disabled()
    expect(tab.locator("#ground_truth .take")).to_be_disabled()
    name.fill("pneumothorax")
    name.press("Enter")
    answered(tab, 4)
    expect(tab.locator("#ground_truth .chosen .pick")).to_have_text("pneumothorax")
    assert tab.input_value("#ground_truth textarea >> nth=0") == "pneumothorax is present"
    expect(tab.locator("#ground_truth .truth")).not_to_have_count(0)
    move_slider(tab, -1)
    assert shown(tab, "iou") == pytest.approx(200 * 100 / 1024**2, abs=1e-3)
    files = [
        {"name": f"film_{finding}.png", "mimeType": "image/png", "buffer": mask}
        for finding in ("pleural-effusion", "nodules")
    ]
    tab.set_input_files("#ground_truth .of-truth", files)
    answered(tab, 5)
    expect(label).to_have_text(["Mass", "pneumothorax", "pleural effusion", "nodules"])


def test_readers_are_another_map_with_the_model_at_their_operating_point(tab, heatmap):
    x, y, w, h = BOX[1:]
    reader = box(BOX[0].upper(), x + 30, y, w - 30, h)
    file = {"name": "reader.json", "mimeType": "application/json", "buffer": json.dumps([reader]).encode()}
    tab.set_input_files("#ground_truth .of-readers", file)
    answered(tab, 2)
    rows = tab.locator("#ground_truth .figures tr.reader")
    expect(rows).to_have_count(2)
    told = [rows.nth(row).locator("td").all_inner_texts() for row in range(2)]
    assert float(told[0][0]) == pytest.approx((w - 30) / w, abs=5.1e-4)
    area = (w - 30) * h / heatmap.size
    assert told[0][3] == told[1][3] == f"{100 * area:.1f} %"
    mask = np.zeros(heatmap.shape, bool)
    mask[y : y + h, x : x + w] = True
    threshold = np.sort(heatmap.ravel())[::-1][round(area * heatmap.size)]
    assert float(told[1][0]) == pytest.approx(iou(heatmap, mask, threshold), abs=1e-3)
    file["buffer"] = json.dumps([box("Nodule", 5, 5, 9, 9)]).encode()
    tab.set_input_files("#ground_truth .of-readers", file)
    problem = tab.locator("#ground_truth .problem")
    nodule = "reader.json marks Nodule, which is none of the findings here."
    expect(problem).to_have_text(nodule)
    second = {**file, "name": "second.json", "buffer": json.dumps([reader]).encode()}
    bad = {**file, "name": "bad.json", "buffer": b'[{"label": "Effusion", "x": 1}]'}
    tab.set_input_files("#ground_truth .of-readers", [file, second, bad])
    answered(tab, 3)  # with the second reader; the measured answer leaves what was refused
    expect(problem).to_have_text(f"{nodule} bad.json, boxes: each box needs label, x, y, w and h.")
    with held(tab, call_of("measure")), tab.expect_request(call_of("measure")):
        tab.locator("#ground_truth textarea >> nth=0").press("Enter")
        expect(problem).to_be_empty()
        tab.set_input_files("#ground_truth .of-readers", bad)
        expect(problem).to_contain_text("bad.json")
    answered(tab, 4)
    expect(problem).to_contain_text("bad.json")


def test_the_figure_that_is_saved_is_the_one_that_is_shown(tab):
    """Its picture has the pixels that the page paints, whatever the display."""
    tab.click("#ground_truth [data-scale=fixed]")
    viewer = f"document.querySelector('{VIEWER}').viewer"
    display = {"window": [40, 180], "invert": True, "colors": "Viridis", "opacity": 0.7, "outline": False}
    tab.evaluate(f"{viewer}.setDisplay({json.dumps(display)})")
    move_slider(tab, 0.42)
    picture = f"(await {viewer}.render({{ pane: 0 }})).toDataURL()"
    painted = tab.evaluate(f"async () => {{ {viewer}.showTruth([]); return {picture}; }}")
    tab.keyboard.press("x")
    sheet = tab.locator("#ground_truth .take-away")
    expect(sheet).to_have_attribute("data-state", "drawn", timeout=60_000)
    fetched = "await (await fetch(document.querySelector('.take-away img').src)).arrayBuffer()"
    shown = tab.evaluate(f"async () => [...new Uint8Array({fetched})]")
    saved = {}
    for name in ("figure.png", "figure.svg"):
        with tab.expect_download() as download:
            sheet.locator(f"[data-file='{name}']").click()
        assert download.value.suggested_filename == f"chest_film-Effusion-{name}"
        saved[name] = download.value.path().read_bytes()
    assert saved["figure.png"] == bytes(shown)
    found = [each for each in pictures(saved["figure.svg"].decode()) if each.shape[:2] == (1024, 1024)]
    expected = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(painted.split(",")[1]))).convert("RGB"))
    expected = expected[:1024]  # below it stands the colour bar
    apart = np.abs(found[1].astype(int) - expected.astype(int)).max(axis=2)
    assert (apart > 2).mean() < 1e-3  # pixels on the threshold itself
    assert (expected != found[0]).any(axis=2).mean() > 0.01  # something is painted


def test_the_film_of_the_probe_tab_comes_along_with_what_is_drawn_on_it(page):
    page.fill("#probe textarea", "small nodule")
    upload = {"name": "own.png", "mimeType": "image/png", "buffer": to_png(np.full((90, 120), 90, np.uint8))}
    page.set_input_files("#probe input[type=file] >> nth=0", upload)
    page.wait_for_function("document.querySelector('#probe .viewer').viewer.image.width === 120")
    page.fill("#probe textarea", "small nodule")
    shape = "{kind: 'box', x: 20, y: 30, width: 40, height: 25}"
    page.evaluate(f"document.querySelector('#probe .viewer').viewer.shapes = [{shape}]")
    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector(f"{VIEWER}[data-answer='1'][data-state='ready']")
    page.click("#ground_truth .open.probed")
    page.wait_for_function(f"document.querySelector('{VIEWER}').viewer.image.width === 120")
    expect(page.locator("#ground_truth textarea >> nth=0")).to_have_value("small nodule")
    drawn = page.evaluate(f"document.querySelector('{VIEWER}').viewer.shapes[0]")
    assert (drawn["x"], drawn["y"], drawn["width"], drawn["height"]) == (20, 30, 40, 25)
    expect(page.locator("#ground_truth .figures td.iou")).not_to_have_text("–")


def test_a_set_never_stands_beside_an_image_it_has_nothing_to_do_with(tab):
    assert tab.is_visible(VIEWER) and not tab.is_visible("#ground_truth .gallery")
    tab.click("#ground_truth [data-view=set]")
    expect(tab.locator(VIEWER)).to_be_hidden()
    expect(tab.locator("#ground_truth .gallery")).to_have_text(
        "The figures of a set stand here once one is open."
    )
    figures, panel = (tab.locator(f"#ground_truth .{part}").bounding_box() for part in ("gallery", "panel"))
    assert figures["width"] == pytest.approx(panel["x"] - figures["x"], abs=1)  # all that the panel leaves


def test_one_threshold_has_one_number(tab):
    """The panel's and the viewer's, on either scale."""
    for scale, threshold, said in (("stretched", -0.4, "−0.40"), ("fixed", 0.3, "0.30")):
        tab.click(f"#ground_truth [data-scale={scale}]")
        move_slider(tab, threshold)
        expect(tab.locator("#ground_truth .threshold")).to_have_text(said)
        expect(tab.locator("#ground_truth [data-show=threshold]")).to_have_text(said)


def test_the_tab_opens_with_a_finding_that_is_flagged(tab):
    assert "flagged" in tab.inner_text("#ground_truth .caption") and "not flagged" not in tab.inner_text(
        "#ground_truth .caption"
    )


def test_nothing_of_the_last_image_stays_over_the_next(tab):
    assert shown(tab, "iou") > 0
    with held(tab, call_of("measure")), tab.expect_request(call_of("measure")):
        give(tab, "next.png", to_png(np.zeros((90, 120), np.uint8)), "image")
        tab.wait_for_function(f"document.querySelector('{VIEWER}').viewer.image.width === 120")
        assert tab.evaluate(f"document.querySelector('{VIEWER}').viewer.grid") is None
        expect(tab.locator("#ground_truth .figures td.iou")).to_have_text("–")
    tab.wait_for_selector(f"{VIEWER}[data-state='ready']")


def test_what_is_drawn_is_measured_and_descriptions_are_compared(tab, heatmap):
    panes = tab.get_attribute(VIEWER, "data-panes")
    tab.click("#ground_truth [data-compare=both]")
    answered(tab, 2)
    expect(tab.locator("#ground_truth .figures tbody tr")).to_have_count(2)
    tab.evaluate(f"document.querySelector('{VIEWER}').viewer.setMode('box')")
    tab.focus("#ground_truth .stage")
    tab.keyboard.press("Space")
    answered(tab, 3)
    expect(tab.locator("#ground_truth .chosen .pick")).to_have_text("Drawn by hand")
    drawn = tab.evaluate(f"document.querySelector('{VIEWER}').viewer.shapes[0]")
    entry = {"label": "drawn", "boxes": [[drawn[key] for key in ("x", "y", "width", "height")]]}
    _, mask = draw(GroundTruthEntry(**entry), *heatmap.shape)
    move_slider(tab, 0.2)
    assert shown(tab, "iou") == pytest.approx(iou(min_max(heatmap), mask, 0.2), abs=5.1e-4)
    tab.click("#ground_truth [data-compare='']")
    answered(tab, 4)
    assert tab.get_attribute(VIEWER, "data-panes") == panes == "2"  # the map, and the ground truth beside it


def test_masks_survive_the_way_to_the_page_and_back():
    mask = np.random.default_rng(0).random((17, 23)) > 0.6
    label, again = draw(GroundTruthEntry(label="noise", runs=list(encode_runs(mask))), 17, 23)
    assert label == "noise" and np.array_equal(mask, again)
    square = np.zeros((10, 12), bool)
    square[2:5, 3:9] = True
    (ring,) = outline(square)
    xs, ys = zip(*ring, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == (3, 9, 2, 5)


def test_a_set_is_run_and_its_files_and_images_are_had(model, tmp_path):
    write_set(tmp_path / "sets" / "small", images=4)
    sets = Sets(model, tmp_path / "sets", tmp_path / "runs", SetUploads(tmp_path / "uploads", 1 << 20))
    assert sets.names() == ["small/set"]
    assert sets.state("small/set", "simple") == {"state": "new", "done": 0, "of": 4}
    client = TestClient(Starlette(routes=run_routes(sets) + image_routes(OpenImages(1 << 20), 1, sets)))
    asked = {"set": "small/set", "style": "simple"}
    assert client.get(f"{RUNS}/summary.json", params=asked).status_code == 404
    sets.start("small/set", "simple").join()
    state = sets.state("small/set", "simple")
    assert state["state"] == "done" and state["done"] == 4
    assert [each["iou"] for each in state["cases"]] == sorted(each["iou"] for each in state["cases"])
    summary = client.get(f"{RUNS}/summary.json", params=asked).json()
    assert summary["n_cases"] == state["summary"]["n_cases"] == len(state["cases"])
    assert client.get(f"{RUNS}/cases.parquet", params=asked).content[:4] == b"PAR1"
    rows = list(csv.DictReader(io.StringIO(client.get(f"{RUNS}/cases.csv", params=asked).text)))
    assert sorted(float(row["iou"]) for row in rows) == pytest.approx(
        [each["iou"] for each in state["cases"]]
    )
    names = [each["name"] for each in state["figures"]]
    assert names == ["means", "findings", "cases", "detection"] and "comparison.csv" not in state["tables"]
    for file, start in (("figure_cases.svg", b"<?xml"), ("figure_means.pdf", b"%PDF")):
        assert client.get(f"{RUNS}/{file}", params=asked).content.startswith(start)
    for file in ("figure_readers.svg", "figure_means.exe", "figure_means.svg.png", "comparison.csv"):
        assert client.get(f"{RUNS}/{file}", params=asked).status_code == 404
    sets.start("small/set", "precise").join()
    state = sets.state("small/set", "simple")
    assert "descriptions" in [each["name"] for each in state["figures"]]
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"{RUNS}/figures.zip", params=asked).content))
    assert {"figure_descriptions.svg", "comparison.csv", "cases.csv", "figure_cases.png"} <= set(
        archive.namelist()
    )
    assert client.get(f"{RUNS}/run.json", params=asked).status_code == 404
    about = json.loads(client.post(f"{IMAGES}?set=small/set&row=1").headers["X-AFLoc-Image"])
    assert (about["width"], about["height"]) == (64, 64)
    for place in ("set=../small/set&row=1", "set=small/set&row=99"):
        assert client.post(f"{IMAGES}?{place}").status_code == 422


def test_a_set_is_opened_measured_and_its_worst_case_shown(tab, url, data_folder, tmp_path):
    write_set(tmp_path / "small", images=4)
    files = [tmp_path / "small" / "set.csv", *sorted((tmp_path / "small" / "images").iterdir())]
    tab.click("#ground_truth [data-view=set]")
    state = tab.locator("#ground_truth .set .state")
    tab.set_input_files("#ground_truth .of-set", files[:1])
    expect(state).to_contain_text("set.csv, row 2, column image: there is no such file as 0.png")
    tab.set_input_files("#ground_truth .of-set", files)  # side by side, where the table says images/0.png
    expect(state).to_contain_text("4 images, not evaluated yet")

    def is_sent(request):
        return "/afloc/sets?" in request.url

    with held(tab, is_sent), tab.expect_request(is_sent):
        tab.set_input_files("#ground_truth .of-set", pack(tmp_path / "small"))
        tab.click("#ground_truth [data-view=case]")
        tab.click("#ground_truth [data-view=set]")  # which would look for the set
    expect(state).to_have_text("4 images, not evaluated yet.")
    tab.click("#ground_truth .run")
    expect(state).to_contain_text("4 images, ", timeout=60_000)
    expect(tab.locator("#ground_truth .summary tbody tr")).to_have_count(3)  # two findings, and all
    with tab.expect_download() as download:
        tab.click("#ground_truth [data-file='summary.json']")
    summary = json.loads(download.value.path().read_text())
    tab.click("#ground_truth .summary .pick:has-text('Nodule')")
    rows = tab.locator("#ground_truth .cases tbody tr")
    expect(rows).to_have_count(summary["categories"]["Nodule"]["n"])
    worst = rows.first.locator("td").nth(2).inner_text()
    rows.first.click()
    expect(tab.locator("#ground_truth .chosen .pick")).to_have_text("Nodule")
    tab.wait_for_selector(f"{VIEWER}[data-state='ready']")
    assert tab.locator("#ground_truth tr.chosen td").nth(2).inner_text() == worst
    at_thresholds = []
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5):
        move_slider(tab, threshold)
        at_thresholds.append(shown(tab, "iou"))
    assert np.mean(at_thresholds) == pytest.approx(float(worst), abs=1e-3)
    tab.click("#ground_truth [data-view=set]")
    tab.click("#ground_truth button[data-list=cases]")
    with held(tab, call_of("set_state")), tab.expect_request(call_of("set_state")):
        tab.click("#ground_truth [data-style=precise]")
        with tab.expect_response(lambda response: call_of("measure")(response.request)):
            rows.first.click()  # as it was listed, of the simple descriptions
        expect(tab.locator("#ground_truth [data-compare='']")).to_have_attribute("aria-pressed", "true")
    tab.click("#ground_truth [data-view=set]")
    tab.click("#ground_truth [data-style=simple]")
    rows.first.click()
    place = tab.locator("#ground_truth .step output")
    expect(place).to_have_text(f"1 of {summary['n_cases']}")
    expect(tab.locator("text=Previous")).to_be_disabled()
    tab.keyboard.press("j")
    expect(place).to_have_text(f"2 of {summary['n_cases']}")
    tab.click("text=Previous")
    expect(place).to_have_text(f"1 of {summary['n_cases']}")
    tab.click("#ground_truth [data-view=set]")
    expect(tab.locator("#ground_truth .cases [aria-current]")).to_have_count(1)
    kept = data_folder / "uploads"
    assert any(kept.iterdir())
    tab.goto(f"{url}afloc/images")
    for _ in range(100):  # the page says goodbye on its way out
        if not any(kept.iterdir()):
            break
        tab.wait_for_timeout(50)
    assert not any(kept.iterdir())


def test_uploaded_sets_stay_in_their_folder_and_in_bounds(model, tmp_path):
    PIL.Image.new("L", (8, 8)).save(tmp_path / "secret.png")
    uploads = SetUploads(tmp_path / "uploads", 1000)
    sets = Sets(model, None, tmp_path / "runs", uploads)
    for image in ("../../../secret.png", str(tmp_path / "secret.png")):
        name = uploads.add(f"image,labels\n{image},Effusion\n".encode(), "set.csv")
        with pytest.raises(DataError, match="must lie in its own folder"):
            sets.state(name, "simple")
    for name, entry in (("../../out.csv", b"x"), ("__MACOSX/set.csv", b"x")):
        assert not any(uploads.folder(uploads.add(entry, name)).glob("**/*"))
    assert {path.name for path in tmp_path.iterdir()} == {"secret.png", "uploads"}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("set.csv", b"0" * 2000)
    for content, name in ((archive.getvalue(), "set.zip"), (b"no zip", "set.zip")):
        with pytest.raises(DataError, match=r"larger than|damaged"):
            uploads.add(content, name)
    two = uploads.add(b"image,labels\n", "a.csv")
    uploads.add(b"image,labels\n", "b.csv", two)
    with pytest.raises(DataError, match="several tables, a.csv, b.csv"):
        sets.state(two, "simple")
    kept = uploads.folder(two)
    uploads.drop(two)
    (kept / "runs").mkdir(parents=True)  # as a run does that was under way
    uploads.sweep()
    assert not kept.exists()
    with pytest.raises(DataError, match="no such set"):
        sets.state(two, "simple")


def zipped(*entries, method=zipfile.ZIP_DEFLATED):
    """A ZIP file of (name, content)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return out.getvalue()


def broken(name):
    """A ZIP file whose first file is no deflated data from its first byte on."""
    content = bytearray(zipped((name, bytes(500))))
    content[content.index(name.encode()) + len(name)] = 0xFF
    return bytes(content)


@pytest.mark.parametrize(
    "content, said",
    [
        (zipped(("set.csv", bytes(900)), method=zipfile.ZIP_BZIP2), "unusual way"),
        (zipped(("set.csv", bytes(900)), method=zipfile.ZIP_LZMA), "unusual way"),
        (zipped(("set.csv", bytes(600)), ("more.csv", bytes(600))), "larger than"),
        (b"PK\x01\x02" * (MOST_ENTRIES + 1), "larger than"),
        (broken("set.csv"), "damaged"),
        (zipped(("set.csv", b"x" * 500))[:-200], "damaged"),
        (zipped(("a", b""), ("a/b.csv", b"")), "a file and a folder"),
    ],
    ids=["bzip2", "lzma", "too large", "too many", "no deflate", "cut off", "file and folder"],
)
def test_a_zip_that_cannot_be_taken_leaves_nothing(tmp_path, content, said):
    uploads = SetUploads(tmp_path, 1000)
    for _ in range(MOST_SETS + 1):
        with pytest.raises(DataError, match=said):
            uploads.add(content, "set.zip")
    assert not any(tmp_path.iterdir())


def test_long_names_are_cut_by_bytes(tmp_path):
    uploads = SetUploads(tmp_path, 1000)
    long = "肺" * 110 + ".png"
    key = uploads.add(zipped((long, b"x")), "set.zip")
    (path,) = (uploads.folder(key) / "set").iterdir()
    assert len(path.name.encode()) <= LONGEST_NAME and long.endswith(path.name)


@pytest.mark.parametrize("number, said", [(errno.ENOSPC, "no room"), (errno.EACCES, "cannot write")])
def test_only_a_full_disk_is_called_one(tmp_path, monkeypatch, number, said):
    def refuse(*_):
        raise OSError(number, "")

    monkeypatch.setattr("afloc.web.state.set_uploads.lock_folder", refuse)
    with pytest.raises(DataError, match=said):
        SetUploads(tmp_path, 1000).add(b"", "set.csv")


def test_others_are_served_while_a_set_is_written_and_it_may_be_dropped(tmp_path, monkeypatch):
    uploads = SetUploads(tmp_path, 1000)
    key = uploads.add(b"image,labels\n", "set.csv")

    def write(*_):
        assert not uploads._lock.locked()
        uploads.drop(key)
        raise FileNotFoundError

    monkeypatch.setattr(uploads, "_write", write)
    with pytest.raises(DataError, match="no longer holds this set"):
        uploads.add(b"", "film.png", key)


def test_only_what_a_killed_server_left_is_removed(tmp_path):
    running = SetUploads(tmp_path, 1000)
    mine = running.folder(running.add(b"image,labels\n", "set.csv"))
    hold = (
        "import sys, pathlib, afloc.web.state.locked_folders as h; "
        "held = h.lock_folder(pathlib.Path(sys.argv[1]), 'upload-'); "
    )
    command = [sys.executable, "-c", f"{hold}print(held.path, flush=True); input()", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        theirs = Path(other.stdout.readline().strip())
        (theirs / "Doe_Jane.png").write_bytes(b"x")
        SetUploads(tmp_path, 1000).sweep()
        assert (mine / "set" / "set.csv").is_file() and (theirs / "Doe_Jane.png").is_file()
        other.kill()
    SetUploads(tmp_path, 1000)
    assert mine.is_dir() and not theirs.exists()
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, f"{mine.name}.lock"}


def test_uploaded_sets_go_when_nobody_uses_them(model, tmp_path):
    now = [0.0]
    uploads = SetUploads(tmp_path / "uploads", 1000, clock=lambda: now[0])
    sets = Sets(model, None, tmp_path / "runs", uploads)
    PIL.Image.new("L", (64, 64)).save(tmp_path / "film.png")
    name = uploads.add((tmp_path / "film.png").read_bytes(), "film.png")
    uploads.add(b"image,labels\nfilm.png,Effusion\n", "set.csv", name)
    now[0] += IDLE_SECONDS - 1
    sets.sweep()
    assert sets.state(name, "simple")["state"] == "new"
    now[0] += IDLE_SECONDS + 1
    sets.sweep()
    assert not any((tmp_path / "uploads").iterdir()) and not sets._plans


def pack(folder):
    """The folder as a ZIP file beside it."""
    return shutil.make_archive(str(folder), "zip", folder.parent, folder.name)
