"""What may follow on what when a study is changed from the page: the lock of the protocol, and deviations."""

import pytest

from afloc.errors import ChangedError, DataError, SettingsError
from afloc.feedback.store.store import Store
from afloc.feedback.studies.study_editing import StudyEditing
from afloc.feedback.studies.study_file import FOLDER
from afloc.feedback.studies.study_folder import StudyFolder
from afloc.feedback.studies.versions import read_versions

TEMPLATE = (FOLDER / "demo.toml").read_text().replace('"demo-', '"trial-')


@pytest.fixture
def editing(tmp_path):
    with Store(tmp_path / "data") as store:
        yield StudyEditing(StudyFolder(tmp_path / "studies"), store)


def start(editing, text=TEMPLATE):
    file = editing.create("trial", "", text)
    return editing.change_state(file, file.token, "open")


def test_a_new_study_is_a_draft_that_says_what_it_lacks(editing):
    file = editing.create("trial", "A trial", None)
    told = editing.describe(file)
    assert told["state"] == "draft" and {fault["key"] for fault in told["faults"]} == {"cases", "readers"}
    assert len(told["values"]["coordinator"]) >= 16
    with pytest.raises(SettingsError, match="cannot start yet: 2 things"):
        editing.change_state(file, file.token, "open")
    assert not list(editing.folder)


def test_the_start_locks_the_protocol_by_its_hash(editing):
    file = start(editing)
    study = editing.folder["trial"]
    assert study.state == "open" and study.protocol.sha256 == study.digest
    assert [each.name for each in read_versions(editing.store, "trial")] == [study.version]
    assert "# unaided: image only." in file.text, "the comments of the template are kept"
    paused = editing.change_state(file, file.token, "paused")
    again = editing.change_state(paused, paused.token, "open")
    assert editing.folder["trial"].protocol == study.protocol and again.values["state"] == "open"


def test_what_was_read_in_between_changes_nothing_of_the_server(editing):
    """One coordinator pauses the study and goes on with it, while the save of another is under way."""
    file = start(editing)
    paused = editing.change_state(file, file.token, "paused")  # what the server reads for the other's save
    again = editing.change_state(paused, paused.token, "open")
    assert again.token == file.token
    for act in (
        lambda: editing.save(paused, file.token, {**file.values, "minutes": 9}, ""),
        lambda: editing.change_state(paused, file.token, "closed"),
        lambda: editing.delete(paused, file.token),
    ):
        with pytest.raises(ChangedError):
            act()
    assert editing.folder["trial"].state == "open"


def test_a_change_of_the_protocol_needs_a_reason_and_is_kept_as_a_deviation(editing):
    file = start(editing)
    locked = editing.folder["trial"]
    changed = {**file.values, "consent": "Another text."}
    with pytest.raises(SettingsError, match="say why"):
        editing.save(file, file.token, changed, " ")
    with pytest.raises(SettingsError, match="under way: seed"):
        editing.save(file, file.token, {**file.values, "seed": "x"}, "a reason")
    with pytest.raises(SettingsError, match="id of a study that was started"):
        editing.save(file, file.token, {**file.values, "id": "other"}, "a reason")
    file, _ = editing.save(file, file.token, changed, "The ethics board asked for it.")
    study = editing.folder["trial"]
    assert study.protocol == locked.protocol and study.version != locked.version
    (deviation,) = study.deviations
    assert (deviation.version, deviation.reason) == (study.version, "The ethics board asked for it.")


def test_what_readers_do_not_meet_needs_no_reason(editing):
    file = start(editing)
    values = {**file.values, "contact": "555 0100", "coordinator": "another-code", "minutes": 30}
    file, _ = editing.save(file, file.token, values, "")
    assert editing.folder["trial"].contact == "555 0100" and not editing.folder["trial"].deviations


def test_no_form_writes_the_lock_the_state_or_a_deviation(editing):
    file = editing.create("trial", "", TEMPLATE)
    forged = {"protocol": {"sha256": "0" * 64, "started": "x"}, "state": "closed"}
    forged |= {"deviations": [{"time": "x", "version": "x", "reason": "x"}]}
    file, _ = editing.save(file, file.token, {**file.values, **forged}, "")
    assert file.values["state"] == "draft" and not {"protocol", "deviations"} & set(file.values)
    text = TEMPLATE.replace("[readers]", '[protocol]\nsha256 = "0"\nstarted = "x"\n[readers]', 1)
    made = editing.create("other", "", text)
    assert "protocol" not in made.values and made.values["state"] == "draft"


@pytest.mark.parametrize("way", [("draft", "paused"), ("open", "draft"), ("closed", "paused"), ("open", "x")])
def test_states_follow_each_other(editing, way):
    file = editing.create("trial", "", TEMPLATE)
    if way[0] != "draft":
        file = editing.change_state(file, file.token, "open")
    if way[0] == "closed":
        file = editing.change_state(file, file.token, "closed")
    with pytest.raises(DataError, match=f"{way[0]} cannot become {way[1]}"):
        editing.change_state(file, file.token, way[1])


def test_an_open_study_is_not_deleted(editing):
    file = start(editing)
    with pytest.raises(DataError, match="pause or close"):
        editing.delete(file, file.token)
    file = editing.change_state(file, file.token, "closed")
    editing.delete(file, file.token)
    assert not list(editing.folder)


def test_a_copy_has_codes_of_its_own(editing):
    original = start(editing)
    copy = editing.copy("second", "Second", original)
    assert copy.values["state"] == "draft" and "protocol" not in copy.values
    assert copy.values["readers"].keys() == original.values["readers"].keys()
    codes = {*copy.values["readers"].values(), copy.values["coordinator"]}
    assert not codes & {*original.values["readers"].values(), original.values["coordinator"]}
    assert set(editing.folder) == {"trial", "second"}


def test_comments_that_go_are_told(editing):
    text = TEMPLATE.replace('id = "c02"', 'id = "c02"\n# a hard one')
    file = editing.create("trial", "", text)
    cases = [case for case in file.values["cases"] if case["id"] != "c02"]
    _, lost = editing.save(file, file.token, {**file.values, "cases": cases}, "")
    assert lost == ["# a hard one"]
