"""The lists of findings: complete, unambiguous, and covering what the data sets call things."""

import random
import re

import pytest

from afloc.errors import DataError, SettingsError
from afloc.language import findings
from afloc.language.findings import (
    MODALITIES,
    ancestors,
    examples,
    find_by_label,
    load_findings,
    sentence_for_label,
)
from afloc.language.phrases import sentence_for
from afloc.language.statements import Statement, read_statements

ENTRIES = [entry for modality in MODALITIES for entry in load_findings(modality).values()]
MARKED = {  # what boxes and masks of public sets are called, and the finding meant
    "chest_xray": {
        "Atelectasis": "atelectasis",
        "Cardiomegaly": "cardiomegaly",
        "Effusion": "pleural_effusion",
        "Infiltration": "infiltration",
        "Mass": "mass",
        "Nodule": "nodule",
        "Pneumonia": "pneumonia",
        "Pneumothorax": "pneumothorax",
        "Ground Glass Opacity": "ground_glass_opacity",
        "Ground Glass Opacities": "ground_glass_opacity",
        "Consolidation": "consolidation",
        "Pleural Effusion": "pleural_effusion",
        "Pleural_Thickening": "pleural_thickening",
        "Lung Opacity": "lung_opacity",
        "Central Venous Line": "central_venous_line",
        "Endotracheal Tube": "endotracheal_tube",
        "Nosogastric Tube": "nasogastric_tube",
        "Tubings": "support_devices",
        "Monitoring Probes": "monitoring_leads",
        "Left Lung": "left_lung",
        "Right Lung": "right_lung",
        "Airways": "airways",
        "Cardiomediastinum": "cardiomediastinum",
        "COVID-19": "covid_pneumonia",
        "No Finding": "normal_chest",
    },
    "fundus": {
        "microaneurysm": "microaneurysm",
        "haemorrhage": "haemorrhage",
        "hard exudate": "hard_exudate",
        "soft exudate": "soft_exudate",
        "optic disc": "optic_disc",
        "haemorrhage/microaneurysm": "red_lesion",
        "glaucomatous optic neuropathy": "glaucoma",
    },
    "histopathology": {
        "lymph node metastasis": "lymph_node_metastasis",
        "serrated adenoma": "serrated_adenoma",
        "colorectal polyp": "colorectal_polyp",
        "low-grade intraepithelial neoplasia": "low_grade_neoplasia",
        "colon gland": "colon_gland",
        "prostate gland": "prostate_gland",
        "prostate tumor": "prostate_tumor",
        "glomerulus": "glomerulus",
        "nuclei": "nuclei",
        "tumor nuclei": "tumor_nuclei",
    },
}


@pytest.mark.parametrize(("modality", "least"), [("chest_xray", 34), ("fundus", 20), ("histopathology", 15)])
def test_lists_are_long_enough(modality, least):
    assert len(examples(modality)) >= least


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.modality}-{entry.id}")
def test_entry_is_complete(entry):
    assert len(entry.simple.split()) >= 2
    assert len(entry.precise.split()) > len(entry.simple.split())
    assert entry.where and entry.family and len(entry.synonyms) >= 2 and entry.labels
    assert len(set(entry.affirmed)) >= 5 and len(set(entry.denied)) >= 3
    assert not (entry.sided and re.search(r"\b(?:left|right)-sided", " ".join(entry.affirmed)))


@pytest.mark.parametrize("modality", MODALITIES)
def test_marked_labels_resolve(modality):
    assert {label: find_by_label(label, modality).id for label in MARKED[modality]} == MARKED[modality]


@pytest.mark.parametrize("modality", MODALITIES)
def test_each_label_means_its_entry(modality):
    for entry in load_findings(modality).values():
        for label in (*entry.labels, entry.name):
            assert find_by_label(label, modality) is entry


def test_labels_match_whatever_their_case_underscores_and_plural():
    for label in ("pleural_effusion", "PLEURAL EFFUSIONS", "Effusions", "hydrothorax"):
        assert find_by_label(label).id == "pleural_effusion"
    assert find_by_label("microaneurysms").modality == "fundus"
    assert find_by_label("a label of no list") is None


def test_sentence_for_label():
    assert sentence_for_label("Effusion") == "pleural effusion is present"
    assert sentence_for_label("Rare_Thing") == "rare thing"


def test_parents_are_transitive_and_not_circular():
    assert {"lung_opacity", "airspace_disease"} <= ancestors("consolidation", "chest_xray")
    for entry in ENTRIES:
        assert entry.id not in ancestors(entry.id, entry.modality)


def test_unknown_modality_is_refused():
    with pytest.raises(SettingsError, match="choose one of"):
        load_findings("mri")


@pytest.mark.parametrize("status", ["affirmed", "denied", "hedged"])
def test_generated_sentences_read_back_as_what_they_say(status):
    """What names and places are put together into, the reader of reports takes apart again."""
    rng = random.Random(0)
    for entry in ENTRIES:
        if entry.normal or not entry.sided:
            continue
        statement = Statement(entry.id, status, "left")
        for _ in range(5):
            sentence = sentence_for(statement, entry.modality, rng)
            read = read_statements(sentence, entry.modality)
            assert (entry.id, status, "left") in {(r.finding_id, r.status, r.side) for r in read}, sentence


@pytest.mark.parametrize(
    "line, wrong, sentence",
    [
        ('name = "cavity"', "name = 3", "name of spot should be a text"),
        ('name = "cavity"', 'name = " - "', "name of spot holds no word"),
        ('synonyms = ["hole"]', 'synonyms = "hole"', "synonyms of spot should be a list of texts"),
        ("sided = true", 'sided = "yes"', "sided of spot should be true or false"),
        ('de = ["Fleck"]', 'de = "Fleck"', "translations of spot should be a list of texts"),
        ('where = "Anywhere."', "", "spot lacks where"),
        ('where = "Anywhere."', 'where = "Anywhere."\nhue = "red"', "spot has the unknown field hue"),
    ],
)
def test_a_list_is_checked_when_it_is_read(tmp_path, monkeypatch, line, wrong, sentence):
    text = """
[spot]
name = "cavity"
synonyms = ["hole"]
labels = ["Hole"]
simple = "a hole is present"
precise = "A hole with a thin wall."
where = "Anywhere."
affirmed = ["A hole is seen."]
denied = ["No hole."]
sided = true
family = "nodule"

[spot.translations]
de = ["Fleck"]
"""
    monkeypatch.setattr(findings, "FOLDER", tmp_path)
    load_findings.cache_clear()
    try:
        (tmp_path / "fundus.toml").write_text(text, encoding="utf-8")
        assert load_findings("fundus")["spot"].translations == (("de", ("Fleck",)),)
        load_findings.cache_clear()
        (tmp_path / "fundus.toml").write_text(text.replace(line, wrong), encoding="utf-8")
        with pytest.raises(DataError, match=sentence):
            load_findings("fundus")
    finally:
        load_findings.cache_clear()


@pytest.fixture
def lists():
    """The lists, which are put back afterwards."""
    yield
    findings._added.clear()
    for empty in findings._emptied:
        empty()


def test_a_finding_that_is_added_is_read_like_those_of_the_lists(tmp_path, lists):
    assert not read_statements("There is a safety pin on the left.", "chest_xray")
    new = tmp_path / "new.toml"
    new.write_text('[pin]\nname = "safety pin"\nsynonyms = ["nappy pin"]\nsided = true\n')
    assert set(findings.add_findings(new, "chest_xray")) == {"pin"}
    findings.add_findings(new, "chest_xray")  # another model brings the same
    assert find_by_label("Safety Pins", "chest_xray").simple == "safety pin is present"
    (statement,) = read_statements("There is an nappy pin on the left.", "chest_xray")
    assert statement == Statement("pin", "affirmed", "left")
    (statement,) = read_statements("No safety pin.", "chest_xray")
    assert statement == Statement("pin", "denied")
    assert "pin" not in load_findings("fundus")


@pytest.mark.parametrize(
    "text, sentence",
    [
        ('[pin]\nsynonyms = ["x"]\n', "new.toml: pin lacks affirmed, denied"),
        ('[pin]\nname = "effusion"\n', "new.toml: pin is in the list of chest_xray already"),
        ('[pleural_effusion]\nname = "water"\n', "pleural_effusion is in the list of chest_xray already"),
        ('[pin]\nname = "pin"\nparents = ["no"]\n', "pin names the unknown parent no"),
        ("[pin", "new.toml is not valid TOML"),
    ],
)
def test_what_cannot_be_added_is_said(tmp_path, text, sentence, lists):
    (tmp_path / "new.toml").write_text(text)
    with pytest.raises(DataError, match=sentence):
        findings.add_findings(tmp_path / "new.toml", "chest_xray")
    assert "pin" not in load_findings("chest_xray")


def test_pathologies_have_names_in_six_languages():
    for entry in ENTRIES:
        if not entry.normal:
            assert [language for language, _ in entry.translations] == ["de", "es", "fr", "pt", "it", "zh"]
