import dataclasses

import pytest

from afloc.errors import SettingsError
from afloc.feedback.analysis.data_frames import study_frame
from afloc.feedback.analysis.results import analyse
from afloc.feedback.store.store import Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.questions import KINDS, Choice, Question
from afloc.feedback.studies.study_file import FOLDER, read_study

SIDES = ("left", "right")


@pytest.mark.parametrize(
    "kind, accepted, refused",
    [
        ("rating", [1, 2], [0, 3, True, 1.0, "1"]),
        ("choice", ["left", "right"], ["up", 1, ["left"]]),
        ("text", ["left", " "], [1, None]),
    ],
)
def test_what_a_kind_accepts(kind, accepted, refused):
    question = Question("q", "?", kind, SIDES)
    assert all(map(question.accepts, accepted)) and not any(map(question.accepts, refused))


def test_each_kind_has_its_column_and_its_scale(demo, tmp_path):
    questions = (Question("side", "Side?", "choice", SIDES), *demo.questions)
    study = dataclasses.replace(demo, questions=questions, consent="", design="unaided", repeats=0)
    with Store(tmp_path) as store:
        for reader in study.readers:
            for index in range(8):
                given = {"side": SIDES[index % 2], "sure": index % 5 + 1, "remark": "=1"}
                readings.save_reading(store, study, reader, index, given, [{"box": [1, 2, 3, 4]}])
        frame = study_frame(store, study)
    assert list(frame["q_side"][:3]) == [1, 2, 1] and list(frame["q_sure"][:3]) == [1, 2, 3]
    assert set(frame["q_remark"]) == {"=1"} and "q_place" not in frame
    found = analyse(study, frame, {})
    assert list(found.counts["question"].unique()) == ["side", "sure"]
    correlations = found.agreement.query("description == ''").set_index("question")["icc"]
    assert dict(correlations.notna()) == {"side": False, "sure": True}  # it needs distances between answers


class Ticked(Choice):
    """Yes or no, without labels of the study's own."""

    name, has_labels = "tick", False

    def accepts(self, answer, labels):
        return answer in ("yes", "no")


def test_a_new_kind_is_one_object(demo, tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "tick", Ticked())
    question = Question("seen", "Seen before?", "tick", ("no", "yes"))
    study = dataclasses.replace(demo, questions=(question,), presence=None, consent="")
    readings.check_answers(study, {"seen": "yes"}, [])
    with pytest.raises(SettingsError, match="not on the scale: Seen before"):
        readings.check_answers(study, {"seen": "perhaps"}, [])
    with Store(tmp_path) as store:
        readings.save_reading(store, study, "R1", 0, {"seen": "yes"})
        frame = study_frame(store, study)
    assert list(analyse(study, frame, {}).counts["answer"]) == ["yes"]


def test_only_kinds_with_labels_take_labels(tmp_path):
    text = (FOLDER / "demo.toml").read_text()
    path = tmp_path / "s.toml"
    for kind in KINDS.values():
        if kind.drawn:  # one is enough
            text = text.replace('kind = "regions"', 'kind = "rating"\nlabels = ["a", "b"]')
        path.write_text(text.replace('kind = "text"', f'kind = "{kind.name}"\nlabels = ["a", "b"]'))
        if kind.has_labels or kind.may_have_labels:
            assert read_study(path).questions[2].labels == ("a", "b")
        else:
            with pytest.raises(SettingsError, match=r"questions\[3\]\.labels is not for"):
                read_study(path)
