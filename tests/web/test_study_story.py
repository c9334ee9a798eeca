"""A study from an empty server to its report, as a coordinator and three readers live it."""

import csv
import io
import itertools
import json
import signal
import time
import zipfile
from collections import Counter

import httpx
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from afloc.feedback.studies.access import keep_code
from afloc.feedback.studies.schedule import schedule
from afloc.feedback.studies.study_file import read_study
from tests.feedback.postgres import running_postgres
from tests.web.replicas import running_proxy, running_replicas
from tests.web.routes.test_study_editor import go_to, open_studies
from tests.web.study_story import ReaderAtPage
from tests.web.tabs.test_probe import a_film, to_png

CASES, FOR_TRAINING = 40, 2
TRAINED = 2 * FOR_TRAINING  # answers: each case is trained without the model and with it
DOUBLED_AT = 11  # the place in the order at which the second reader opens another window


@pytest.fixture
def servers(long, tiny_folder, tmp_path):
    """Two processes of the page behind one address, with one empty Postgres and one folder of studies."""
    if not long:
        pytest.skip("takes minutes: --long")
    studies = tmp_path / "studies"
    with (
        running_postgres() as database,
        running_replicas(tmp_path, tiny_folder, database, AFLOC_STUDIES_DIR=studies) as replicas,
        running_proxy(tmp_path, [port for _, port in replicas]) as url,
    ):
        yield url, replicas, studies


def a_set(count):
    """A ZIP file of drawn films with their table: the finding is in every other one."""
    table, packed = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    writer.writerow(("image", "labels", "boxes"))
    box = {"label": "Effusion", "x": 20, "y": 200, "w": 80, "h": 60}
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(count):
            has_it = number % 2
            label = "Effusion" if has_it else "Cardiomegaly"
            writer.writerow((f"{number}.png", label, json.dumps([box] * has_it)))
            archive.writestr(f"{number}.png", to_png(a_film(number)))
        archive.writestr("table.csv", table.getvalue())
    return packed.getvalue()


def make_study(page, count):
    """What the coordinator does until the readers may begin; the readers' codes."""
    page.get_by_text("New study…").click()
    page.fill("dialog [name=name]", "effusions")
    page.fill("dialog [name=title]", "Effusions on films")
    page.keyboard.press("Enter")
    page.wait_for_selector("#study .editor .steps")
    page.get_by_label("Wash-out, days").fill("0")
    page.get_by_label("After a training case readers see the truth").check()

    go_to(page, "Cases")
    page.get_by_label("What is asked of the images that are added").fill("pleural effusion")
    sent = {"name": "films.zip", "mimeType": "application/zip", "buffer": a_set(count)}
    page.set_input_files("#study .adder input[type=file] >> nth=2", sent)
    expect(page.locator("#study table.cases tbody tr")).to_have_count(count, timeout=60_000)
    for name in ("c001", "c002"):
        page.get_by_label(f"Use of {name}").select_option("training")
    expect(page.locator("#study p.count")).to_have_text(
        f"{count - FOR_TRAINING} cases count; {FOR_TRAINING} for training come first."
    )

    go_to(page, "Consent and contact")
    page.get_by_label("Consent", exact=True).fill("Your answers are kept.")
    page.get_by_label("Contact").fill("Dr Smith, 555 0100")
    go_to(page, "Readers")
    page.get_by_label("How many readers to add").fill("3")
    page.get_by_text("Add readers").click()
    expect(page.locator("#study table.readers tbody tr")).to_have_count(3)
    codes = page.locator("#study table.readers code").all_inner_texts()
    go_to(page, "Check and run")
    expect(page.locator("#study .sound")).to_contain_text(f"Each reader gives {2 * count} readings")
    page.get_by_text("Start the study…").click()
    page.locator("dialog.ask .go").click()
    expect(page.locator("#study .chip.open")).to_be_visible()
    return codes


def ratings_of(study):
    """What each reader will say of each case of their order: better with the model than without it."""
    chance, said = np.random.default_rng(7), {}
    for reader in study.readers:
        said[reader] = {
            slot.index: int(
                np.clip(
                    round(
                        3
                        + (1 if slot.case.truth else -1) * (1.2 if slot.arm == "aided" else 0.5)
                        + chance.normal()
                    ),
                    1,
                    5,
                )
            )
            for slot in schedule(study, reader)
        }
    return said


def area(positive, negative):
    """The AUC as the share of pairs that are in order."""
    pairs = list(itertools.product(positive, negative))
    return sum((high > low) + 0.5 * (high == low) for high, low in pairs) / len(pairs)


def save_package(page, code):
    """Results, as the coordinator takes them away: the report, and the files of the data package."""
    page.get_by_role("tab", name="Results").click()
    page.fill("#results .card input", code)
    page.keyboard.press("Enter")
    page.wait_for_selector("#results .part")
    saved = {}
    for what in ("report", "package"):
        with page.expect_download(timeout=120_000) as loading:
            page.click(f"#results [data-publish={what}]")
        saved[what] = loading.value.path().read_bytes()
    archive = zipfile.ZipFile(io.BytesIO(saved["package"]))
    files = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    return saved["report"].decode(), files


def read_window_twice(chromium, url, code, reader):
    """The same case in two windows: the other one answers first; this one is told so, and keeps a draft."""
    other = ReaderAtPage(chromium, url, code, reader.ratings)
    assert other.arrive() == "case" and other.index == reader.index
    other.answer()
    assert other.arrive() == "case"
    reader.page.keyboard.press(str(6 - reader.ratings[reader.index]))
    reader.page.keyboard.press("Enter")
    expect(reader.page.locator("#study .hand .saved")).to_contain_text("another answer for it is saved")
    reader.answered.append(reader.index)
    assert not other.errors
    other.close()


def home_of(reader, replicas):
    """The process that answers a reader's page."""
    names = [httpx.get(f"http://127.0.0.1:{port}/config").json()["app_id"] for _, port in replicas]
    return replicas[names.index(reader.server)][0]


def test_from_an_empty_server_to_the_report(servers, chromium):
    """Three read 40 cases in both arms; one stops half-way, one has two windows, a server is killed."""
    url, replicas, studies = servers
    began = time.perf_counter()
    code = keep_code(studies)
    page, errors = open_studies(chromium, url, code)
    codes = make_study(page, CASES + FOR_TRAINING)
    study = read_study(studies / "effusions.toml")
    assert list(study.readers.values()) == codes and len(study.cases) == CASES
    said = ratings_of(study)
    made = time.perf_counter()

    readers = {
        name: ReaderAtPage(chromium, url, readers_code, said[name])
        for name, readers_code in study.readers.items()
    }
    asked = {name: len(schedule(study, name)) for name in readers}
    stop = {"R1": asked["R1"], "R2": asked["R2"], "R3": asked["R3"] // 2}
    for turn in range(max(stop.values())):
        for name, reader in readers.items():
            if len(reader.answered) == stop[name]:
                continue
            assert reader.arrive() == "case", (name, turn)
            if name == "R2" and turn == DOUBLED_AT:
                read_window_twice(chromium, url, codes[1], reader)
                continue
            if name == "R1" and turn == asked["R1"] // 3:  # its server is killed, with its answer under way
                home = home_of(reader, replicas)
                reader.answer()
                home.send_signal(signal.SIGKILL)
            else:
                reader.answer()
    for name in ("R1", "R2"):
        assert readers[name].arrive() == "end"
    assert readers["R3"].arrive() == "case"
    read = time.perf_counter()

    expect(page.locator("#study .progress-of-readers tbody tr").nth(2)).to_contain_text(
        f"{stop['R3']} of {asked['R3']}", timeout=30_000
    )
    page.locator("#study .editor .form").get_by_text("Close", exact=True).click()
    expect(page.locator("#study .chip.closed")).to_be_visible()
    report, files = save_package(page, code)
    assert not errors and not any(reader.errors for reader in readers.values())
    ended = time.perf_counter()
    print(f"\nmade in {made - began:.0f} s, read in {read - made:.0f} s, report in {ended - read:.0f} s")

    # Every answer that was given is there, once, and nothing else.
    given = [
        (name, slot.period, slot.case.id, slot.arm, said[name][slot.index])
        for name, reader in readers.items()
        for slot in schedule(study, name)[: len(reader.answered)]
    ]
    rows = pd.read_csv(io.BytesIO(files["data/effusions.csv"]))
    assert rows["id"].is_unique
    kept = rows[rows["kind"].isin(("reading", "training"))]
    question = study.presence
    found = [
        (row.reader, row.period, row.case_id, row.arm, json.loads(row.answers)[question])
        for row in kept.itertuples()
    ]
    assert Counter(found) == Counter(given)
    assert dict(kept[kept["kind"] == "reading"]["reader"].value_counts()) == {
        name: count - TRAINED for name, count in stop.items()
    }
    assert Counter(rows[rows["kind"] == "consent"]["reader"]) == dict.fromkeys(readers, 1)
    drafts = rows[(rows["kind"] == "draft") & (rows["reader"] == "R2")]
    doubled = schedule(study, "R2")[DOUBLED_AT]
    told = drafts[(drafts["case_id"] == doubled.case.id) & (drafts["arm"] == doubled.arm)]
    assert 6 - said["R2"][DOUBLED_AT] in [json.loads(each)[question] for each in told["answers"]]

    # The report says the same.
    flow = pd.read_csv(io.BytesIO(files["tables/flow.csv"])).set_index("Reader")
    readings = {name: count - TRAINED for name, count in stop.items()}
    assert dict(flow["Given"]) == readings and set(flow["Asked for"]) == {2 * CASES}
    assert dict(flow["Missing"]) == {name: 2 * CASES - count for name, count in readings.items()}
    assert dict(flow["Training"]) == {name: TRAINED for name in readers}
    truths = {case.id: case.truth for case in study.cases}
    roc = pd.read_csv(io.BytesIO(files["tables/roc.csv"]))
    for name, arm in itertools.product(("R1", "R2"), ("aided", "unaided")):
        ratings = [
            (truths[case], rating)
            for who, _, case, of, rating in given
            if (who, of) == (name, arm) and case in truths
        ]
        expected = area([r for truth, r in ratings if truth], [r for truth, r in ratings if not truth])
        [row] = roc[(roc["Reader"] == name) & (roc["Measure"] == arm)].to_dict("records")
        assert row["AUC"] == pytest.approx(expected, abs=1e-9) and row["Cases"] == CASES
    total = sum(readings.values())
    assert f"Readings: {6 * CASES:,} asked for, {total:,} given" in report
    assert "3 in the study, 3 agreed, 3 began, 2 gave every reading, 1 has readings missing" in report
    assert study.protocol.sha256 in report and "None is recorded" in report
    assert not any(each.encode() in content for content in files.values() for each in codes)
