"""A study that is changed while it is read: what is counted, what is said, and that no definition is lost."""

import dataclasses
import json

import pytest
from PIL import Image as Picture

from afloc.errors import DataError, ImageError
from afloc.feedback.analysis import data_frames
from afloc.feedback.analysis.results import analyse
from afloc.feedback.backup import COPY_NAME, Backup
from afloc.feedback.export import export, import_rows
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.study import load_image
from afloc.feedback.studies.study_file import read_study
from afloc.feedback.studies.versions import ALL, read_versions, select_versions, versions_like
from tests.cli.test_feedback import run

LABELS = '["absent", "unsure", "present"]'
STUDY = f"""
id = "trial"
title = "A trial"
design = "unaided"
seed = 1
coordinator = "the-coordinator"

[readers]
R1 = "code-of-1"
R2 = "code-of-2"

[[questions]]
id = "sure"
text = "Is it there?"
kind = "rating"
labels = {LABELS}
"""
CASE = """
[[cases]]
id = "c{0}"
image = "{0}.png"
description = "effusion"
truth = {1}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "study").mkdir()
    text = STUDY
    for number in range(4):
        text += CASE.format(number, str(number < 2).lower())
        draw(tmp_path / "study" / f"{number}.png", number)
    (tmp_path / "study" / "trial.toml").write_text(text)
    return tmp_path / "study" / "trial.toml"


def draw(path, shade):
    Picture.new("L", (32, 24), 10 * shade).save(path)


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return read_study(file)


def read_on(store, study, reader, count, rate=lambda case: 3 if case.truth else 1):
    """The reader's next `count` cases, answered."""
    for _ in range(count):
        slot = readings.next_slot(store, study, reader)
        digest = load_image(study, slot.case).digest
        readings.save_reading(
            store, study, reader, slot.index, {"sure": rate(slot.case)}, image_digest=digest, visible_ms=1000
        )


def without_digests(study):
    """The study as AFLoc kept it before a version covered the images."""
    return dataclasses.replace(
        study, cases=tuple(dataclasses.replace(case, digest="") for case in study.cases)
    )


@pytest.fixture
def turned(file, tmp_path):
    """A store with a study whose labels were turned round in the middle: (store, first, second)."""
    first = read_study(file)
    with Store(tmp_path) as store:
        read_on(store, first, "R1", 4)
        second = change(file, LABELS, '["present", "unsure", "absent"]')
        read_on(store, second, "R2", 3, lambda case: 1 if case.truth else 3)
        yield store, first, second


def test_versions_are_not_pooled_without_a_word(turned):
    store, first, second = turned
    assert first.version != second.version
    selected = select_versions(store, "trial")
    assert selected.name == second.version and selected.study.definition() == second.definition()
    assert set(data_frames.study_frame(store, selected.study, selected.versions)["reader"]) == {"R2"}
    assert set(data_frames.study_frame(store, first)["reader"]) == {"R1"}  # nor by default
    assert selected.notes == (
        f"Counted: 3 readings of version {second.version}.",
        f"Left out: 4 readings of version {first.version}, which differs in questions.",
    )
    older = select_versions(store, "trial", first.version)
    frame = data_frames.study_frame(store, older.study, older.versions)
    assert older.study.questions == first.questions and set(frame["reader"]) == {"R1"}
    counts = analyse(older.study, frame, {}).counts
    assert counts.set_index("answer")["count"].to_dict() == {"present": 2, "absent": 2}
    pooled = select_versions(store, "trial", ALL)
    assert len(data_frames.study_frame(store, pooled.study, pooled.versions)) == 7
    assert "Pooled: 4 readings" in pooled.notes[1] and "by the questions" in pooled.notes[1]
    with pytest.raises(DataError, match="has no version 'x'; it has"):
        select_versions(store, "trial", "x")


def test_readers_go_on_where_they_are(turned):
    store, _, second = turned
    assert readings.next_slot(store, second, "R1") is None
    assert readings.next_slot(store, second, "R2").index == 3


def test_another_reader_is_no_reason_to_begin_anew(file, tmp_path):
    with Store(tmp_path) as store:
        read_on(store, first := read_study(file), "R1", 4)
        why = '[[deviations]]\ntime = "2026-11-29T10:00:00Z"\nversion = "0"\nreason = "R2 fell ill."\n'
        study = change(file, 'R2 = "code-of-2"', f'R2 = "code-of-2"\nR3 = "code-of-3"\n{why}')
        assert study.deviations
        read_on(store, study, "R3", 4)
        selected = select_versions(store, "trial")
        assert set(selected.versions) == {first.version, study.version} and selected.name == study.version
        assert selected.notes[1] == (
            f"Counted together: 4 readings of version {first.version}, which differs in readers."
        )


def test_an_exchanged_image_is_another_version(file, tmp_path):
    study = read_study(file)
    with Store(tmp_path) as store:
        read_on(store, study, "R1", 4)
        draw(file.parent / "2.png", 9)
        with pytest.raises(
            ImageError, match="no longer the one"
        ):  # the study in memory is of the other image
            load_image(study, study.case("c2"))
        again = read_study(file)
        assert again.version != study.version and load_image(again, again.case("c2")).pixels[0, 0] == 90
        read_on(store, again, "R2", 4)
        notes = select_versions(store, "trial").notes
        assert notes[1:] == (f"Left out: 4 readings of version {study.version}, which differs in images.",)
        assert select_versions(store, "trial", ALL).notes[2:] == (
            "Not the same image in all readings that are counted: case c2.",
        )
    (file.parent / "2.png").unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(again, again.case("c2"))


def test_file_names_and_codes_are_no_part_of_a_version(file):
    study = read_study(file)
    (file.parent / "2.png").rename(file.parent / "Doe.png")
    renamed = change(file, '"2.png"', '"Doe.png"')
    assert change(file, "code-of-1", "another-code").version == renamed.version == study.version
    assert "Doe" not in str(renamed.definition())


@pytest.mark.parametrize("kept", [True, False])
def test_a_study_under_way_outlives_the_update(file, tmp_path, kept):
    """Readings of before a version covered the images count along, with a word on it."""
    study = read_study(file)
    old = without_digests(study)
    with Store(tmp_path / "data") as store:
        read_on(store, old, "R1", 4)
        if not kept:  # only the newest definition was kept, as backups did
            export(store, tmp_path / "out.parquet")
            (tmp_path / "out.trial.study.json").unlink()
    if not kept:
        with Store(tmp_path / "again") as store:
            import_rows(store, tmp_path / "out.parquet")
    with Store(tmp_path / ("data" if kept else "again")) as store:
        read_on(store, study, "R2", 2)
        assert len(data_frames.study_frame(store, study)) == 6
        selected = select_versions(store, "trial")
        assert set(selected.versions) == {old.version, study.version}
        assert "Counted together: 4 readings" in selected.notes[1]
        assert "does not say whether any was exchanged" in selected.notes[1]
        assert selected.notes[1].endswith("the digests kept with the readings show none.")

        draw(file.parent / "0.png", 7)
        exchanged = read_study(file)
        read_on(store, exchanged, "R2", 1)
        selected = select_versions(store, "trial")
        assert selected.versions == (exchanged.version,)  # the old ones belong to the images of then
        assert sum(note.startswith("Left out") for note in selected.notes) == 2
        before = select_versions(store, "trial", study.version)
        assert set(before.versions) == {old.version, study.version}


def test_an_image_exchanged_with_the_update_is_seen_in_the_readings(file, tmp_path):
    with Store(tmp_path / "data") as store:
        read_on(store, without_digests(read_study(file)), "R1", 4)
        draw(file.parent / "1.png", 8)
        read_on(store, read_study(file), "R2", 4)
        notes = select_versions(store, "trial").notes
    assert notes[1].endswith("the digests kept with the readings show an exchange.")
    assert notes[2] == "Not the same image in all readings that are counted: case c1."


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "imrmc"])
def test_an_export_holds_every_definition(turned, tmp_path, ending):
    store, first, second = turned
    written = export(store, tmp_path / f"out.{ending}", study="trial")
    protocol = json.loads(written[-1].read_text())
    assert protocol["version"] == second.version and protocol["readings"] == 3
    [earlier] = protocol["earlier_versions"]
    assert earlier["version"] == first.version and earlier["questions"][0]["labels"][0] == "absent"
    if ending == "imrmc":
        [head, *_] = (tmp_path / "out.imrmc").read_text().splitlines()
        assert f"version {second.version}" in head and f"4 readings of version {first.version}" in head
        export(store, tmp_path / "old.imrmc", study="trial", version=first.version)
        old = (tmp_path / "old.imrmc").read_text()
        assert "\nR1,c0,unaided,3\n" in old and "\nR2," not in old
        with pytest.raises(DataError, match="chosen for iMRMC"):
            export(store, tmp_path / "old.csv", study="trial", version=first.version)


@pytest.mark.parametrize("by", ["export", "backup"])
def test_every_definition_comes_back(turned, tmp_path, by):
    store, *_ = turned
    if by == "export":
        export(store, path := tmp_path / "out.csv")
    else:
        Backup(store, tmp_path / "bucket", minutes=60).close()
        path = tmp_path / "bucket" / COPY_NAME
    with Store(tmp_path / "again") as again:
        if by == "export":
            import_rows(again, path)
        else:
            Backup(again, tmp_path / "bucket", minutes=60).close()
        assert read_versions(again, "trial") == read_versions(store, "trial")
        assert select_versions(again, "trial") == select_versions(store, "trial")


def test_a_version_whose_definition_is_lost_is_named(turned, tmp_path):
    """As after a copy by an older AFLoc, which kept the newest definition alone."""
    store, first, second = turned
    written = export(store, tmp_path / "out.parquet")
    newest = {k: v for k, v in json.loads(written[-1].read_text()).items() if k != "earlier_versions"}
    written[-1].write_text(json.dumps({k: v for k, v in newest.items() if k != "readings"}))
    with Store(tmp_path / "again") as again:
        import_rows(again, tmp_path / "out.parquet")
        selected = select_versions(again, "trial")
        assert selected.name == second.version
        assert (
            f"Left out: 4 readings of version {first.version}, whose definition is not kept."
            in selected.notes
        )
        with pytest.raises(DataError, match="is not kept"):
            select_versions(again, "trial", first.version)


def test_the_summary_says_it_and_takes_another(turned, capsys, tmp_path):
    store, first, second = turned
    export(store, tmp_path / "out.csv")
    run("feedback", "import", tmp_path / "out.csv", "--data", tmp_path / "data")
    capsys.readouterr()
    arguments = ("feedback", "summary", "--study", "trial", "--data", tmp_path / "data")
    assert run(*arguments) == 0
    assert f"Left out: 4 readings of version {first.version}" in capsys.readouterr().out
    counted = []
    for version in (None, first.version, "all"):
        assert run(*arguments, "--json", *(["--study-version", version] if version else [])) == 0
        summary = json.loads(capsys.readouterr().out)
        counted.append((summary["version"], sum(row["count"] for row in summary["counts"])))
    assert counted == [(second.version, 3), (first.version, 4), (second.version, 7)]
    assert run(*arguments[:2], "--study-version", "all", *arguments[4:]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_version_that_lost_its_definition_is_the_study_as_it_is(file, tmp_path):
    study = read_study(file)
    other = change(file, "A trial", "Another title")
    with Store(tmp_path / "data") as store:
        store.keep_study(other.version, other.id, other.definition())
        for case, each in (("c0", study), ("c1", other)):
            store.record(Event("reading", None, "R1", each.id, each.version, case_id=case))
        assert study.version in versions_like(store, study)
