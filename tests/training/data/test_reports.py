"""Reports, codes and labels to statements."""

import csv
import os
import random
import re
from pathlib import Path

import pytest

from afloc.errors import DataError
from afloc.language.findings import MODALITIES, load_findings
from afloc.language.phrases import load_wordings, sentence_for
from afloc.language.statements import Statement, opposite, other_side, read_statements
from afloc.training.data.reports import (
    clean_report,
    read_mesh,
    read_row,
    split_sentences,
)


def said(sentence, modality="chest_xray"):
    """{finding id: status} of a sentence."""
    return {each.finding_id: each.status for each in read_statements(sentence, modality)}


def placed(sentence):
    return [(each.finding_id, each.side, each.zone) for each in read_statements(sentence, "chest_xray")]


def row_statuses(row, modality="fundus"):
    return {each.finding_id: each.status for each in read_row(row, modality).statements}


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("1. Low lung volumes. 2. No effusion.", "Low lung volumes. No effusion."),
        ("XXXX opacity in the right midlung. XXXX.", "Opacity in the right midlung."),
        (
            "Compared to XXXX, the costophrenic XXXX are blunted.",
            "Compared, the costophrenic angles are blunted.",
        ),
        ("There are no XXXX of a pleural effusion.", "There are no signs of a pleural effusion."),
        ("The XXXX are grossly normal. Heart size normal.", "Heart size normal."),
        ("PA and lateral views of the chest were obtained. Lungs clear.", "Lungs clear."),
        (
            "Patchy RLL opacity w/ small L pleural effusion.",
            "Patchy right lower lobe opacity with small left pleural effusion.",
        ),
        ("A 52-year-old man with a nodule.", "A patient with a nodule."),
        ("Bilateral opacities. Case courtesy of Dr A. Name, Radiopaedia.org, rID: 1", "Bilateral opacities."),
        ("Nodule in r.upper lobe(S3). malignant.", "Nodule in right upper lobe. Malignant."),
        ("A 2.5 cm mass.", "A 2.5 cm mass."),
    ],
)
def test_clean_report(raw, clean):
    assert clean_report(raw) == clean


def test_split_sentences_keeps_decimals_and_titles():
    assert split_sentences("A 1.2 cm nodule.. Dr. Name agrees; no effusion\nHeart normal") == [
        "A 1.2 cm nodule.",
        "Dr. Name agrees.",
        "No effusion.",
        "Heart normal.",
    ]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("No pneumothorax.", {"pneumothorax": "denied"}),
        (
            "No effusion, pneumothorax, or focal consolidation.",
            {"pleural_effusion": "denied", "pneumothorax": "denied", "consolidation": "denied"},
        ),
        ("No pneumothorax, small left effusion.", {"pneumothorax": "denied", "pleural_effusion": "affirmed"}),
        ("Negative for edema but there is an effusion.", {"edema": "denied", "pleural_effusion": "affirmed"}),
        ("Cardiomegaly without edema.", {"cardiomegaly": "affirmed", "edema": "denied"}),
        ("The lungs are free of focal airspace disease.", {"airspace_disease": "denied"}),
        ("No significant change in the effusion.", {"pleural_effusion": "affirmed"}),
        (
            "Not only cardiomegaly, an effusion is present.",
            {"cardiomegaly": "affirmed", "pleural_effusion": "affirmed"},
        ),
        ("The pneumothorax has resolved.", {"pneumothorax": "denied"}),
        ("Interval resolution of the effusion.", {"pleural_effusion": "denied"}),
        ("A nodule is not seen.", {"nodule": "denied"}),
        ("The heart is not enlarged.", {"cardiomegaly": "denied"}),
        ("Pneumonia cannot be excluded.", {"pneumonia": "hedged"}),
        ("This may represent atelectasis.", {"atelectasis": "hedged"}),
        ("Possible small effusion.", {"pleural_effusion": "hedged"}),
        ("Atelectasis versus pneumonia.", {"atelectasis": "hedged", "pneumonia": "hedged"}),
        ("Atelectasis or scarring.", {"atelectasis": "hedged", "scar": "hedged"}),
        ("Questionable nodule, no effusion.", {"nodule": "hedged", "pleural_effusion": "denied"}),
        (
            "The aorta is tortuous and calcified.",
            {"tortuous_aorta": "affirmed", "aortic_calcification": "affirmed"},
        ),
        ("There is no pericardial effusion.", {}),
    ],
)
def test_negation_and_hedging(sentence, expected):
    assert said(sentence) == expected


@pytest.mark.parametrize(
    ("sentence", "denied"),
    [
        ("The heart is normal in size.", {"cardiomegaly"}),
        ("Normal heart size.", {"cardiomegaly"}),
        (
            "The heart, pulmonary vasculature and mediastinum are within normal limits.",
            {"cardiomegaly", "vascular_congestion", "enlarged_cardiomediastinum"},
        ),
        ("The lungs are clear.", {"lung_opacity", "airspace_disease"}),
        ("The remainder of the lungs is clear.", set()),
        ("The right lung is clear.", set()),
        ("Costophrenic angles are sharp.", {"pleural_effusion", "blunted_costophrenic_angle"}),
    ],
)
def test_normal_statements_deny(sentence, denied):
    assert {
        each.finding_id for each in read_statements(sentence, "chest_xray") if each.status == "denied"
    } == denied


def test_nothing_acute_is_normal_only_where_nothing_else_is_said():
    nothing_acute = "No acute cardiopulmonary abnormality."
    assert said(nothing_acute) == {"normal_chest": "hedged"}
    assert said("Normal chest.") == {"normal_chest": "affirmed"}
    assert said("No acute bony abnormality.") == {"fracture": "denied"}
    assert row_statuses({"impression": nothing_acute}, "chest_xray")["normal_chest"] == "affirmed"
    assert "normal_chest" not in row_statuses({"impression": f"Cardiomegaly. {nothing_acute}"}, "chest_xray")


def test_borderline_heart_is_neither_normal_nor_enlarged():
    assert said("Heart size is at the upper limits of normal.") == {"cardiomegaly": "hedged"}
    assert said("Borderline cardiomegaly.") == {"cardiomegaly": "hedged"}


@pytest.mark.parametrize(
    ("sentence", "places"),
    [
        ("Small left pleural effusion.", [("pleural_effusion", "left", None)]),
        ("Opacity in the right upper lobe.", [("lung_opacity", "right", "upper")]),
        ("Bibasilar atelectasis.", [("atelectasis", "bilateral", "lower")]),
        ("Nodule in the lingula.", [("nodule", "left", "middle")]),
        (
            "Left effusion and right pneumothorax.",
            [("pleural_effusion", "left", None), ("pneumothorax", "right", None)],
        ),
        (
            "Left pleural effusion with adjacent atelectasis.",
            [("pleural_effusion", "left", None), ("atelectasis", "left", None)],
        ),
        ("The left ventricle is enlarged, small nodule.", [("nodule", None, None)]),
        ("Effusions, right greater than left.", [("pleural_effusion", "bilateral", None)]),
        ("Cardiomegaly to the left.", [("cardiomegaly", None, None)]),
    ],
)
def test_side_and_zone(sentence, places):
    assert placed(sentence) == places


@pytest.mark.parametrize(
    ("code", "statement"),
    [
        ("Opacity/lung/middle lobe/right", Statement("lung_opacity", "affirmed", "right", "middle")),
        ("Pleural Effusion/bilateral/small", Statement("pleural_effusion", "affirmed", "bilateral")),
        ("Calcified Granuloma/lung/lingula", Statement("calcified_granuloma", "affirmed", "left", "middle")),
        ("Lung/hypoinflation", Statement("low_lung_volumes", "affirmed")),
        ("Aorta, Thoracic/tortuous/mild", Statement("tortuous_aorta", "affirmed")),
        ("Calcinosis/aorta", Statement("aortic_calcification", "affirmed")),
        ("Cardiomegaly/borderline", Statement("cardiomegaly", "hedged")),
        ("Cicatrix/pleura/apex/left", Statement("pleural_thickening", "affirmed", "left", "upper")),
        ("Opacity/heart/left", None),
        ("Aorta", None),
        ("Technical Quality of Image Unsatisfactory ", None),
    ],
)
def test_mesh(code, statement):
    assert read_mesh(code) == ([statement] if statement else [])


def test_report_row_merges_text_and_codes():
    text = read_row(
        {
            "findings": "Left pleural effusion. No focal consolidation. Lungs are clear.",
            "impression": "1. Left pleural effusion. 2. No acute cardiopulmonary abnormality.",
            "mesh": '["Pleural Effusion/left", "Opacity/lung/base/left"]',
            "labels": "Pleural Effusion;Opacity",
        },
        "chest_xray",
    )
    assert text.sentences.count("Left pleural effusion.") == 1
    assert Statement("pleural_effusion", "affirmed", "left") in text.statements
    assert Statement("lung_opacity", "affirmed", "left", "lower") in text.statements
    assert Statement("consolidation", "denied") in text.statements
    statuses = {(each.finding_id, each.status) for each in text.statements}
    assert ("lung_opacity", "denied") not in statuses and ("normal_chest", "affirmed") not in statuses


def test_label_rows():
    assert row_statuses({"labels": "Effusion;Mass"}, "chest_xray") == {
        "pleural_effusion": "affirmed",
        "mass": "affirmed",
    }
    nothing = row_statuses({"labels": "No Finding"}, "chest_xray")
    assert nothing.pop("normal_chest") == "affirmed" and set(nothing.values()) == {"denied"}
    assert nothing.keys() >= {"pneumothorax", "cardiomegaly", "nodule"}


def test_a_note_keeps_only_what_it_says_of_the_film():
    row = {
        "text": "Fever for two days. CT shows a nodule. Opacity in the left lower lobe.",
        "labels": "COVID-19",
    }
    assert read_row(row, "chest_xray").sentences == ("Opacity in the left lower lobe.",)


def test_malformed_mesh_is_refused():
    with pytest.raises(DataError, match="JSON list"):
        read_row({"mesh": "Opacity/lung"}, "chest_xray")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (
            "mild non-proliferative diabetic retinopathy",
            {"mild_npdr": "affirmed", "microaneurysm": "affirmed", "haemorrhage": "denied"},
        ),
        (
            "moderate non-proliferative diabetic retinopathy",
            {
                "microaneurysm": "affirmed",
                "haemorrhage": "affirmed",
                "hard_exudate": "hedged",
                "soft_exudate": "hedged",
            },
        ),
        (
            "moderate non-proliferative diabetic retinopathy;macular edema risk grade 2",
            {"hard_exudate": "affirmed", "macular_edema": "affirmed"},
        ),
        (
            "moderate non-proliferative diabetic retinopathy;no macular edema risk (no visible hard exudate)",
            {"hard_exudate": "denied", "macular_edema": "denied", "haemorrhage": "affirmed"},
        ),
        (
            "severe non-proliferative diabetic retinopathy",
            {
                "haemorrhage": "affirmed",
                "venous_beading": "hedged",
                "irma": "hedged",
                "neovascularisation": "denied",
            },
        ),
        (
            "proliferative diabetic retinopathy",
            {
                "diabetic_retinopathy": "affirmed",
                "neovascularisation": "affirmed",
                "vitreous_haemorrhage": "hedged",
            },
        ),
        (
            "no diabetic retinopathy",
            {"diabetic_retinopathy": "denied", "microaneurysm": "denied", "haemorrhage": "denied"},
        ),
        ("no glaucomatous optic neuropathy", {"glaucoma": "denied"}),
        ("normal fundus", {"normal_fundus": "affirmed", "hard_exudate": "denied"}),
    ],
)
def test_grades_are_expanded_by_definition(labels, expected):
    statuses = row_statuses({"labels": labels})
    assert {finding: statuses.get(finding) for finding in expected} == expected


def test_keywords_of_a_fundus_row():
    row = {
        "text": "suspected glaucoma, moderate non proliferative retinopathy, laser spot",
        "labels": "diabetic retinopathy",
    }
    statuses = row_statuses(row)
    assert statuses["glaucoma"] == "hedged" and statuses["moderate_npdr"] == "affirmed"
    assert statuses["laser_scars"] == "affirmed" and statuses["microaneurysm"] == "affirmed"


def test_histopathology_labels_name_their_cells():
    assert row_statuses({"labels": "lung adenocarcinoma"}, "histopathology")["tumor_nuclei"] == "affirmed"
    benign = row_statuses({"labels": "normal oral epithelium"}, "histopathology")
    assert benign["oral_squamous_cell_carcinoma"] == benign["tumor_nuclei"] == "denied"


def test_opposite_and_other_side():
    statement = Statement("pleural_effusion", "affirmed", "left", "lower")
    assert opposite(opposite(statement)) == statement and opposite(statement).status == "denied"
    assert other_side(statement).side == "right" and other_side(Statement("cardiomegaly", "affirmed")) is None


def test_sentence_for_names_side_zone_and_status():
    rng = random.Random(1)
    for _ in range(50):
        sentence = sentence_for(Statement("lung_opacity", "denied", "right", "upper"), "chest_xray", rng)
        words = sentence.lower()
        assert "right" in words and ("upper" in words or "apex" in words or "apical" in words)
        assert read_statements(sentence, "chest_xray")[0].status == "denied"
    drawn = {sentence_for(Statement("edema", "affirmed"), "chest_xray", rng) for _ in range(100)}
    assert len(drawn) > 8


def test_training_tables_yield_statements():
    data = Path(os.environ.get("AFLOC_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
    if not (data / "chest_xray" / "train.csv").is_file():
        pytest.skip("the training tables are not here; AFLOC_TEST_DATA names their folder")
    for modality in MODALITIES:
        with (data / modality / "train.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for number, row in enumerate(csv.DictReader(file)) if number % 40 == 0]
        for row in rows:
            text = read_row(row, modality)
            assert (
                text.statements
                and {each.finding_id for each in text.statements} <= load_findings(modality).keys()
            )
            assert "XXXX" not in text.report


def test_triplets_are_no_template_of_ours():
    """The language test's wording is independent of the sentences the text encoder is trained on.

    triplets.csv: a description, the same in other words, and one that means something else (its negation, the
    other side or zone, another finding), written in clinicians' words before training.
    """
    path = Path(__file__).parents[2] / "language" / "triplets.csv"
    with path.open(newline="", encoding="utf-8") as file:
        triplets = list(csv.DictReader(file))
    kinds = [triplet["kind"] for triplet in triplets]
    assert len(triplets) >= 120
    assert kinds.count("negation") >= 35 and kinds.count("side") >= 25 and kinds.count("finding") >= 40
    assert set(kinds) == {"negation", "side", "finding", "zone"}
    templates = {
        _plain(text)
        for modality in MODALITIES
        for entry in load_findings(modality).values()
        for text in (*entry.affirmed, *entry.denied, entry.simple, entry.precise)
    }
    templates |= {_plain(text) for m in MODALITIES for texts in load_wordings(m).values() for text in texts}
    for triplet in triplets:
        assert len({triplet["description"], triplet["same"], triplet["other"]}) == 3
        for role in ("description", "same", "other"):
            assert _plain(triplet[role]) not in templates, triplet[role]


def _plain(text):
    return re.sub(r"\W+", " ", text.lower()).strip()
