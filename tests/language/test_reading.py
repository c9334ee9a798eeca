"""One reader for what is typed and what reports say."""

import csv
from pathlib import Path

import pytest

from afloc.language.findings import load_findings
from afloc.language.modalities import MODALITIES
from afloc.language.reading import read
from afloc.language.statements import read_statements
from afloc.language.words import words_of
from tests.language import reports

CHEST, FUNDUS, TISSUE = "chest_xray", "fundus", "histopathology"
ENTRIES = [entry for modality in MODALITIES for entry in load_findings(modality).values()]
needs_reports = pytest.mark.skipif(reports.DATA is None, reason="the reports are not beside the checkout")


def said(text: str, modality: str = CHEST) -> list[tuple[str, str, str | None]]:
    return [(each.finding_id, each.status, each.side) for each in read(text, modality).statements]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.modality}-{entry.id}")
def test_the_lists_are_read_as_what_they_say(entry):
    there = {"normal", "structure"} if entry.normal else {"affirmed"}
    for text in (entry.name, *entry.synonyms, entry.simple, entry.precise, *entry.affirmed):
        for written in (text, text.upper(), text.lower().rstrip(".")):
            reading = read(written, entry.modality)
            assert not reading.unknown_words, written
            assert reading.main.finding_id == entry.id and reading.main.status in there, written
    for text in entry.denied:
        assert (entry.id, "denied") in {each[:2] for each in said(text, entry.modality)}, text


@pytest.mark.parametrize(
    "form",
    [
        "no {}",
        "No evidence of a {}.",
        "without {}",
        "w/o {}",
        "{} absent",
        "{}: none",
        "{} is not seen",
        "{} isn't visible",
        "{} has been ruled out",
        "{} is excluded",
        "free of {}",
        "negative for {}",
        "denies {}",
        "nothing to suggest {}",
        "I cannot see a {}",
        "the {} has resolved",
        "{} is no longer there",
        "neither {} nor mass",
        "nil {}",
        "{} unlikely",
        "no fracture, mass or {}",
        "absence of {}",
    ],
)
@pytest.mark.parametrize("name", ["pneumothorax", "left pleural effusion"])
def test_denials(form, name):
    finding = name.split()[-1].replace("effusion", "pleural_effusion")
    found = {(each, status) for each, status, _ in said(form.format(name))}
    assert (finding, "denied") in found and (finding, "affirmed") not in found
    assert not read(form.format(name), CHEST).affirms


@pytest.mark.parametrize(
    "form",
    [
        "possible {}",
        "is there any {}",
        "Is there a {}?",
        "{}?",
        "? {}",
        "?{}",
        "rule out {}",
        "r/o {}",
        "query {}",
        "exclude {}",
        "cannot exclude {}",
        "{} cannot be ruled out",
        "probable {}",
        "suspected {}",
        "where is the {}?",
        "show me the {}",
        "mass vs. {}",
    ],
)
def test_hedges(form):
    assert ("pneumothorax", "hedged", None) in said(form.format("pneumothorax"))
    assert read(form.format("pneumothorax"), CHEST).affirms


@pytest.mark.parametrize("text", ["not free of effusion", "no absence of effusion", "effusion is not absent"])
def test_two_negations_affirm(text):
    assert said(text) == [("pleural_effusion", "affirmed", None)]


@pytest.mark.parametrize(
    "text, side, zones",
    [
        ("left pleural effusion", "left", ()),
        ("effusion on the right side", "right", ()),
        ("L effusion", "left", ()),
        ("lt. effusion", "left", ()),
        ("right-sided effusion", "right", ()),
        ("effusion, left", "left", ()),
        ("bilateral effusions", "bilateral", ()),
        ("effusions on both sides", "bilateral", ()),
        ("left and right effusion", "bilateral", ()),
        ("RLL consolidation", "right", ("lower",)),
        ("consolidation in the lingula", "left", ("middle",)),
        ("middle lobe consolidation", "right", ("middle",)),
        ("small left apical pneumothorax", "left", ("apical",)),
        ("nodule behind the heart", None, ("retrocardiac",)),
        ("peripheral opacities at the right base", "right", ("basal", "peripheral")),
        ("right upper perihilar mass", "right", ("upper", "hilar")),
        ("cardiomegaly on the left", None, ()),  # it has no side
    ],
)
def test_sides_and_zones(text, side, zones):
    main = read(text, CHEST).main
    assert (main.side, main.zones) == (side, zones) and main.status == "affirmed"


def test_an_eye_is_no_side_of_a_finding():
    assert said("drusen OD", FUNDUS) == [("drusen", "affirmed", None)]
    assert said("hard exudates in the left eye", FUNDUS) == [("hard_exudate", "affirmed", None)]


@pytest.mark.parametrize(
    "text, statements",
    [
        (
            "left effusion, no right pneumothorax",
            [("pleural_effusion", "affirmed", "left"), ("pneumothorax", "denied", "right")],
        ),
        (
            "left effusion, no right effusion",
            [("pleural_effusion", "affirmed", "left"), ("pleural_effusion", "denied", "right")],
        ),
        (
            "The heart is enlarged. Possible right nodule, no effusion.",
            [
                ("cardiomegaly", "affirmed", None),
                ("nodule", "hedged", "right"),
                ("pleural_effusion", "denied", None),
            ],
        ),
        ("Thoracic aorta is tortuous.", [("tortuous_aorta", "affirmed", None)]),
        (
            "Mild blunting of right costophrenic angles.",
            [("blunted_costophrenic_angle", "affirmed", "right")],
        ),
        ("The aorta is calcified.", [("aortic_calcification", "affirmed", None)]),
        ("The left apical pneumothorax has resolved.", [("pneumothorax", "denied", "left")]),
        (
            "normal chest, no effusion",
            [("normal_chest", "normal", None), ("pleural_effusion", "denied", None)],
        ),
        ("Lungs are clear.", [("lung_opacity", "denied", None), ("airspace_disease", "denied", None)]),
    ],
)  # fmt: skip
def test_statements_in_the_order_of_the_text(text, statements):
    assert said(text) == statements


@pytest.mark.parametrize(
    "text, modality, there",
    [
        ("Small effusion.", CHEST, True),
        ("No effusion", CHEST, False),
        ("Normal heart size", CHEST, False),
        ("healthy lungs", CHEST, False),
        ("no white patch at the base", CHEST, False),
        ("Benign prostate tissue is present", TISSUE, True),
    ],
)
def test_what_denies_or_calls_normal_affirms_nothing(text, modality, there):
    assert read(text, modality).affirms is there


def test_a_denial_does_not_hide_what_is_affirmed_beside_it():
    assert read("Stable cardiomegaly without gross evidence for failure", CHEST).affirms
    reading = read("Left effusion. The heart size is normal. No pneumothorax.", CHEST)
    assert reading.affirmed == "Left effusion." and reading.affirms


@pytest.mark.parametrize(
    "modality, texts",
    [
        (
            CHEST,
            "heart|the lungs|ribs|left lung|both hila|the right clavicle|trachea|aortic arch|heart and lungs",
        ),
        (
            CHEST,
            "Where is the heart?|the spine is visible|lung on the left|costophrenic angles|left lower lobe",
        ),
        (FUNDUS, "optic disc|the macula|retinal vessels|the optic disc of the left eye|arteries and veins"),
        (
            TISSUE,
            "colon gland|glands|stroma|fat|nuclei|the epithelium|smooth muscle|blood vessels|prostate glands",
        ),
    ],
)
def test_structures_have_nothing_to_judge(modality, texts):
    for text in texts.split("|"):
        reading = read(text, modality)
        assert {each.status for each in reading.statements} == {"structure"}, text
        assert not reading.suggestions and not reading.question


@pytest.mark.parametrize(
    "modality, texts",
    [
        (
            CHEST,
            "normal|normal chest x-ray|no acute disease|unremarkable film|no abnormality seen|is it normal?",
        ),
        (FUNDUS, "normal fundus|healthy retina|the fundus is normal|unremarkable eye"),
        (TISSUE, "normal colonic mucosa|benign prostate tissue|normal"),
    ],
)
def test_normality(modality, texts):
    for text in texts.split("|"):
        assert read(text, modality).main.status == "normal", text


@pytest.mark.parametrize(
    "modality, texts",
    [
        (
            CHEST,
            "hazy grey area behind the heart|white patch at the left base|something round near the hilum"
            "|blurry shadow in the right lower zone|streaks fanning out of the hilum|dark strip on a wall"
            "|the left side looks darker than the right|lacy white lines at both bases|bright hilum"
            "|a tangle of lines below the collarbone|metal object over the shoulder|woolly patch"
            "|black area without vessels",
        ),
        (
            FUNDUS,
            "dark spot beside the optic disc|yellow specks around the macula|a grey curved fold"
            "|twisty dark red vessels|bright white fluffy patch near the vessel",
        ),
        (
            TISSUE,
            "dense purple cells in clusters|pale pink empty areas|cells with big nuclei|swirling fibres"
            "|ring of tall cells around an empty space",
        ),
    ],
)
def test_free_words_are_described(modality, texts):
    for text in texts.split("|"):
        reading = read(text, modality)
        assert [each.status for each in reading.statements] == ["described"] and not reading.unknown_words, (
            text
        )


@pytest.mark.parametrize(
    "text",
    [
        *("banana", "x", "asdf", "1234", "?????", "hello", "left", "ok", "patient", "good morning"),
        *("a 45 year old man with cough", "55 yo female with chest pain", "history of hypertension"),
        *("lorem ipsum dolor", "the cat sat on the mat", "tell me a joke", "blood pressure 120/80"),
        *("SELECT * FROM users", "https://example.com", "shortness of breath"),
    ],
)
def test_what_says_nothing_of_an_image_is_unknown(text):
    reading = read(text, CHEST)
    assert reading.main.status == "unknown" and reading.main.finding_id == ""


@pytest.mark.parametrize(
    "text", ["what is wrong with this film?", "what do you see", "diagnosis?", "is it bad?"]
)
def test_a_question_about_everything_is_known_as_one(text):
    reading = read(text, CHEST)
    assert reading.question and reading.main.status == "unknown"
    assert not read("is there an effusion?", CHEST).question


def test_phrases_in_other_languages_get_no_verdict_but_the_right_suggestion():
    with (Path(__file__).parent / "foreign.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    readings = [(row, read(row["text"], row["modality"])) for row in rows]
    assert [row["text"] for row, each in readings if each.main.status != "unknown"] == []
    wrong = [
        row["text"]
        for row, each in readings
        if row["finding"] and each.suggestions[:1] != (load_findings(row["modality"])[row["finding"]].name,)
    ]
    assert len(wrong) <= 2, wrong


def test_words_of_reports_become_known_but_not_their_typing_errors():
    text = "Crystallopathy of the clavicle"
    assert read(text, CHEST).unknown_words == ("crystallopathy",)
    seen = ["Crystallopathy is seen, no pneumothorx.", *["No pneumothorax."] * 200]
    words = words_of(seen)
    assert "crystallopathy" in words and "pneumothorx" not in words
    assert read(text, CHEST, frozenset(words)).main.status == "described"


@needs_reports
def test_reports_are_understood_and_read_as_training_reads_them(long):
    assert reports.unknown_share("eval") <= 0.015  # of other patients
    if long:
        assert reports.unknown_share("train") <= 0.01
        assert reports.differences("train").keys() <= {
            "same",
            "probable",
            "not understood",
            "a structure alone",
        }


def test_training_reads_the_lists_as_the_page_does():
    for entry in ENTRIES:
        if not entry.normal:
            for text in (entry.simple, entry.precise):
                assert entry.id in {each.finding_id for each in read_statements(text, entry.modality)}
