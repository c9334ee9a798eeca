"""What the text encoder is taught: which descriptions mean the same, and batches that say so."""

import random

import pytest
import torch

from afloc.language.findings import MODALITIES, load_findings
from afloc.language.phrases import in_a_hurry, load_wordings
from afloc.language.statements import Statement, read_statements
from afloc.model.similarity import TextVectors
from afloc.training.data.facts import Description
from afloc.training.data.pairs import Pair, mirror_sentence
from afloc.training.stages.language import DescriptionSampler, contrast, same_meanings


def said(finding, status="affirmed", side=None, zone=None):
    return Description("…", (Statement(finding, status, side, zone),))


def verdict(first, second):
    value = float(same_meanings([first, second], "chest_xray")[0, 1])
    return None if value != value else value


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (said("nodule", side="left"), said("nodule", side="left"), 1),
        (said("nodule", side="left"), said("nodule", side="right"), 0),
        (said("nodule", zone="upper"), said("nodule", zone="lower"), 0),
        (said("nodule"), said("nodule", "denied"), 0),
        (said("nodule"), said("cardiomegaly"), 0),
        (said("nodule", side="left"), said("nodule"), None),
        (said("consolidation"), said("lung_opacity"), None),
    ],
)
def test_same_other_or_open(first, second, same):
    assert verdict(first, second) == verdict(second, first) == same


def test_a_mirrored_sentence_names_the_other_side_throughout():
    sentence = "Left effusion with right basal collapse."
    mirrored = mirror_sentence(Description(sentence, tuple(read_statements(sentence, "chest_xray"))))
    assert mirrored.text.lower() == "right effusion with left basal collapse."
    assert set(mirrored.statements) == set(read_statements(mirrored.text, "chest_xray"))
    assert mirror_sentence(said("cardiomegaly")) == said("cardiomegaly")


def test_a_batch_holds_paraphrases_and_hard_negatives():
    sentence = "Small left effusion."
    pair = Pair(
        None,
        "a",
        "chest_xray",
        (Description(sentence, (Statement("pleural_effusion", "affirmed", "left"),)),),
        {},
    )
    sampler = DescriptionSampler([pair], "chest_xray", 3)
    batch = sampler.draw(6, 5)
    assert batch == sampler.draw(6, 5) != sampler.draw(6, 6)
    assert sentence in {description.text for description in batch}
    same = same_meanings(batch, "chest_xray")
    alone = ~torch.eye(len(batch), dtype=torch.bool)
    assert ((same == 1) & alone).any(1).float().mean() > 0.5 and (same == 0).any(1).all()


@pytest.mark.parametrize("modality", MODALITIES)
def test_wordings_are_of_listed_findings_and_say_one_thing_each(modality):
    wordings = load_wordings(modality)
    assert {statement.finding_id for statement in wordings} <= load_findings(modality).keys()
    assert all("{" not in text for texts in wordings.values() for text in texts)
    seen = {}
    for statement, texts in wordings.items():
        for text in texts:
            other = seen.setdefault(text.lower(), statement)
            assert other.status == statement.status, text


def test_shorthand_keeps_the_side():
    rng = random.Random(0)
    for _ in range(50):
        short = in_a_hurry("There is no evidence of consolidation in the right lower lobe.", rng)
        assert not {"left", "lt", "L"} & set(short.split())


def test_the_objective_falls_as_same_and_other_part():
    same = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    apart = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    mixed = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    losses = [float(contrast(TextVectors(v, v, v), same)) for v in (apart, mixed)]
    assert losses[0] < 0.01 < losses[1]
