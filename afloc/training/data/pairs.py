"""Image-report pairs: one row of a training table, with the facts that its report states about its image.

A row's report (or its labels) becomes one `Fact` per finding: present, absent or unknown, with the sides and
zones that the report names. A description is a text with the statements that were read from it. `entails`
decides whether the facts of an image confirm a description (1), contradict it (0) or leave it open (NaN). The
sigmoid objective is trained on these targets. Rows with the same meaning are therefore never each other's
negatives, while "no X" and the wrong side are.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from afloc.language.findings import load_findings
from afloc.language.places import OPPOSITE_SIDE
from afloc.language.statements import other_side, read_statements
from afloc.training.data.facts import SIDE, SIDE_IN_OTHER_WORDS, Description, Fact, facts_of
from afloc.training.data.reports import read_row

EYE = re.compile(r"_(left|right)\.\w+$")  # the end of a photograph's name in ODIR-5K
PHRASINGS = 24  # of a statement: few enough for `TextBank` to keep the vector of each
CALIBRATION_ONE_IN = 12  # one patient in twelve is left out of training, for the calibration


@dataclass(frozen=True)
class Pair:
    """One row of a training table.

    `sentences`: the sentences of the report that state something. `facts`: per finding id, what is known of
    the image. `affirmed`: the ids of all findings that the row affirms, also those that `facts` leaves out.
    `in_calibration_split`: the row is not trained on, but used for the calibration. `texts`: all sentences of
    the report. `patient`: their name in the table, or the image's where it names none.
    """

    image: Path
    source: str
    modality: str
    sentences: tuple[Description, ...]
    facts: dict[str, Fact]
    affirmed: frozenset[str] = frozenset()
    in_calibration_split: bool = False
    texts: tuple[str, ...] = ()
    patient: str = ""

    @property
    def has_pathology(self) -> bool:
        """Whether the row affirms a finding that is not normal."""
        entries = load_findings(self.modality)
        return any(not entries[finding].normal for finding in self.affirmed)

    @property
    def unread(self) -> tuple[str, ...]:
        """The sentences of the report of which nothing was read: of things that the lists do not name, or in
        another language."""
        read = {sentence.text for sentence in self.sentences}
        return tuple(text for text in self.texts if text not in read)

    @property
    def usable(self) -> bool:
        """Whether training batches may draw the row."""
        return bool(self.facts) and not self.in_calibration_split


def read_pair(row: dict[str, str], folder: Path, modality: str) -> Pair:
    """Read one row of a table. Its facts are those that the row states; `close_world` adds the absent
    ones."""
    text, patient = read_row(row, modality), row.get("patient") or row["image"]
    sentences = tuple(
        Description(sentence, statements)
        for sentence in text.sentences
        if (statements := tuple(read_statements(sentence, modality)))
    )
    facts = facts_of(text.statements, modality)
    if modality in ALWAYS_KNOWN:
        facts |= ALWAYS_KNOWN[modality](row["image"])
    return Pair(
        folder / row["image"],
        row["source"].split(" ")[0],
        modality,
        sentences,
        facts,
        in_calibration_split=in_calibration_split(patient),
        texts=text.sentences,
        patient=patient,
    )


def in_calibration_split(patient: str) -> bool:
    """Whether a patient is left out of training, for the calibration."""
    return hashlib.sha256(patient.encode()).digest()[0] % CALIBRATION_ONE_IN == 0


def eye_facts(name: str) -> dict[str, Fact]:
    """The side of the optic disc, from the name of a fundus photograph, which tells which eye it shows. The
    disc lies on the nasal side: in the right eye, on the patient's left."""
    eye = EYE.search(name)
    return {"optic_disc": Fact(1.0, frozenset({OPPOSITE_SIDE[eye[1]]}))} if eye else {}


# What an image shows whatever its text says, from the image's name; by modality.
ALWAYS_KNOWN = {"fundus": eye_facts, "histopathology": lambda name: {"nuclei": Fact(1.0)}}


def mirror(pair: Pair) -> Pair:
    """The pair of the mirrored image: left and right are exchanged in its facts and sentences. Sentences that
    name a side in other words are left out."""
    facts = {
        finding: replace(fact, sides=frozenset(OPPOSITE_SIDE.get(side, side) for side in fact.sides))
        for finding, fact in pair.facts.items()
    }
    sentences = [
        mirror_sentence(each) for each in pair.sentences if not SIDE_IN_OTHER_WORDS.search(each.text)
    ]
    return replace(pair, facts=facts, sentences=tuple(sentences))


def mirror_sentence(description: Description) -> Description:
    """The description with left and right exchanged."""
    text = SIDE.sub(lambda found: OPPOSITE_SIDE[found[0].lower()], description.text)
    return Description(text, tuple(other_side(each) or each for each in description.statements))
