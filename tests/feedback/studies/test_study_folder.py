"""The folder of the studies: served as it is now, changed by several at once without a loss."""

import os
import re
import threading
import tomllib
from pathlib import Path

import pytest
from PIL import Image as Picture

from afloc import files
from afloc.errors import ChangedError, DataError, ImageError, SettingsError
from afloc.feedback.studies.study import Case, read_case
from afloc.feedback.studies.study_check import check_study
from afloc.feedback.studies.study_file import FOLDER
from afloc.feedback.studies.study_folder import StudyFolder
from afloc.imaging.image import read_image
from tests.imaging.dicoms import RAMP, dicom

DEMO = (FOLDER / "demo.toml").read_text()


def demo_as(name):
    """The demo under another id, with codes of its own."""
    return DEMO.replace('id = "demo"', f'id = "{name}"').replace('"demo-', f'"{name}-')


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.toml").write_text(demo_as("a"))
    return StudyFolder(tmp_path)


@pytest.fixture
def film(tmp_path):
    """An image whose name tells of a patient."""
    path = tmp_path / "sent" / "Doe^Jane 1970.PNG"
    path.parent.mkdir()
    Picture.new("L", (64, 48), 90).save(path, "PNG")
    return path


def test_a_file_that_comes_changes_or_goes_is_served_so_at_once(folder):
    assert list(folder) == ["a"]
    (folder.folder / "b.toml").write_text(demo_as("b"))
    assert set(folder) == {"a", "b"}
    (folder.folder / "b.toml").write_text(demo_as("b").replace("repeats = 2", "repeats = 1"))
    assert folder["b"].repeats == 1
    (folder.folder / "b.toml").unlink()
    assert set(folder) == {"a"} and folder.get("b") is None


def test_a_file_that_becomes_faulty_is_served_as_it_was_and_a_draft_not_at_all(folder):
    (folder.folder / "a.toml").write_text(demo_as("a").replace("seed = ", "seeds = "))
    assert list(folder) == ["a"] and folder["a"].seed
    with pytest.raises(SettingsError, match="seed is missing|seeds is no key"):
        StudyFolder(folder.folder)
    (folder.folder / "a.toml").write_text('id = "a"\nstate = "draft"\ncoordinator = "its-code"\n')
    assert not list(folder) and folder.draft_codes == {"a": "its-code"}
    assert not list(StudyFolder(folder.folder))


def test_the_demo_stands_beside_where_it_is_wanted(tmp_path):
    assert list(StudyFolder(None)) == list(StudyFolder(tmp_path / "none", with_demo=True)) == ["demo"]
    (tmp_path / "demo.toml").write_text(DEMO.replace("repeats = 2", "repeats = 1"))
    assert StudyFolder(tmp_path, with_demo=True)["demo"].repeats == 1


def test_who_has_not_seen_the_last_change_changes_nothing(folder):
    mine, theirs = folder.open("a"), StudyFolder(folder.folder).open("a")
    saved = StudyFolder(folder.folder).save("a", theirs.token, {**theirs.values, "title": "Theirs"})
    with pytest.raises(ChangedError):
        folder.save("a", mine.token, {**mine.values, "title": "Mine"})
    with pytest.raises(ChangedError):
        folder.delete("a", mine.token)
    assert folder.open("a") == saved and folder["a"].title == "Theirs"
    assert saved.text == demo_as("a").replace("A reader study to try", "Theirs"), "nothing else is touched"


@pytest.mark.parametrize("locks", ["with", "without"])
def test_of_many_who_save_at_once_one_does(folder, locks, monkeypatch):
    """Each from a process's view of its own: eight folders over the same files, on a file system that keeps
    locks and on one that keeps none."""
    if locks == "without":
        monkeypatch.setattr(files, "fcntl", None)
    token, done, refused = folder.open("a").token, [], []

    def save(number):
        own = StudyFolder(folder.folder)
        try:
            done.append(own.save("a", token, {**own.open("a").values, "title": f"T{number}"}))
        except ChangedError:
            refused.append(number)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(done) == 1 and len(refused) == 7 and folder.open("a") == done[0]


def test_a_lock_that_a_killed_process_left_holds_nobody_for_ever(folder, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.setattr(files, "SECONDS_TO_DIE", 0.1)
    (folder.folder / ".afloc-lock.held").touch()
    a = folder.open("a")
    assert folder.save("a", a.token, {**a.values, "title": "Later"}).values["title"] == "Later"
    assert not (folder.folder / ".afloc-lock.held").exists()


def test_what_is_opened_while_another_saves_is_one_text(folder, monkeypatch):
    """The token stands for the very values that are shown."""
    (before, after), read = (
        (demo_as("a"), demo_as("a").replace("A reader study to try", "Theirs")),
        Path.read_text,
    )

    def read_slowly(path, **how):
        text = read(path, **how)
        path.write_text(after if text == before else before)  # somebody else is at it
        return text

    monkeypatch.setattr(Path, "read_text", read_slowly)
    opened = folder.open("a")
    assert opened.values == tomllib.loads(opened.text)


def test_a_faulty_file_beside_stops_nobody(folder):
    (folder.folder / "broken.toml").write_text("no = TOML = here")
    a = folder.open("a")
    assert folder.save("a", a.token, {**a.values, "title": "Mine"}).values["title"] == "Mine"


def test_ids_and_codes_are_each_studys_own(folder):
    with pytest.raises(SettingsError, match="already"):
        folder.create("A", {"id": "A"})
    b = folder.create("b", tomllib.loads(demo_as("b")))
    with pytest.raises(SettingsError, match="another"):
        folder.save("b", b.token, {**b.values, "id": "a"})
    with pytest.raises(SettingsError, match="one code") as refused:
        folder.save("b", b.token, {**b.values, "readers": {"R1": "a-2"}})
    assert "a-2" not in str(refused.value), "a code is told to nobody"


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "/etc/passwd", ".hidden", "a\0b"])
def test_no_name_leads_out_of_the_folder(folder, name):
    with pytest.raises(SettingsError):
        folder.open(name)
    with pytest.raises(SettingsError):
        folder.create(name, {})
    with pytest.raises(SettingsError):
        folder.images(name)


def test_an_uploaded_image_keeps_no_name_and_goes_with_its_study(folder, film):
    kept = folder.add_image("a", film)
    assert re.fullmatch(r"a\.images/[0-9a-f]{20}\.png", kept) and folder.add_image("a", film) == kept
    a = folder.open("a")
    values = {**a.values, "cases": [{"id": "k1", "image": kept, "description": "x"}]}
    folder.check_images("a", values)
    a = folder.save("a", a.token, values | {"repeats": 0})
    assert folder["a"].cases[0].digest and (folder.folder / kept).stat().st_mode & 0o077 == 0
    folder.delete("a", a.token)
    assert not list(folder) and {path.name for path in folder.folder.iterdir()} <= {"sent", ".afloc-lock"}


def test_a_dicom_file_is_kept_without_its_tags_and_an_old_one_is_still_shown(folder, tmp_path):
    content = dicom(RAMP, bits=6, PatientName="Doe^Jane", PixelSpacing=[0.2, 0.2])
    (tmp_path / "sent").mkdir()
    sent = tmp_path / "sent" / "film.dcm"
    sent.write_bytes(content)
    kept = folder.add_image("a", sent)
    written = (folder.folder / kept).read_bytes()
    assert b"Doe" not in written and kept == folder.add_image("a", sent)
    image = read_case(folder.folder, Case("x", kept, "x"))
    assert image.digest == read_image(content).digest and image.spacing == (0.2, 0.2)

    old = folder.images("a") / "old.dcm"  # as an earlier AFLoc kept it
    old.write_bytes(content)
    cases = [{"id": name, "image": f"a.images/{file}", "description": "x"} for name, file in (
        ("new", kept.removeprefix("a.images/")), ("old", "old.dcm"))]  # fmt: skip
    a = folder.open("a")
    values = {**a.values, "cases": cases, "repeats": 0}
    folder.save("a", a.token, values)
    advice = " ".join(check_study(a.path, values).advice)
    assert "1 of the image files have the tags or texts" in advice
    assert read_case(folder.folder, folder["a"].case("old")).digest == image.digest


def test_an_uploaded_image_that_no_case_shows_goes_after_an_hour(folder, film):
    kept, a = folder.folder / folder.add_image("a", film), folder.open("a")
    a = folder.save("a", a.token, {**a.values, "title": "x"})
    assert kept.exists(), "it was just sent, and the form that uses it is on its way"
    os.utime(kept, (0, 0))
    folder.save("a", a.token, {**a.values, "title": "y"})
    assert not kept.exists()


def test_what_is_no_image_is_not_kept(folder, tmp_path):
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(ImageError):
        folder.add_image("a", tmp_path / "x.png")
    assert not folder.images("a").exists()


@pytest.mark.parametrize(
    "image", ["/etc/hostname", "../x.png", "b.images/x.png", "a.images/../b.toml", "a.images/.x", "a.images/"]
)
def test_a_form_reaches_no_other_file_of_the_server(folder, image):
    case = {"id": "x", "image": image, "description": "x"}
    with pytest.raises(DataError):
        folder.check_images("a", {"cases": [case]})
    with pytest.raises(DataError):
        folder.check_images("a", {"training": [case]})
    if image.startswith(("/", "..", "a.images/..")):
        with pytest.raises(SettingsError):
            folder.create("c", {"cases": [case]})
