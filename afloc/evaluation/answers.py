"""Three measures of what is answered, beside the maps: is the right side told from the wrong one, is nothing
flagged and painted where there is nothing, and does a finding get one answer however it is asked.

`ask_answers` asks a model about the images of a set; `answer_tables` counts what it answered.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from afloc.errors import ImageError
from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.datasets.rows import Row
from afloc.imaging.image import read_image
from afloc.inference.finding import Finding
from afloc.inference.view import View
from afloc.language.findings import FindingEntry, find_by_label, load_findings
from afloc.language.places import OPPOSITE_SIDE

DENIALS = ("no {}", "without {}", "{} absent")
DENIED = "no {}"
WORDINGS = ("{}", "possible {}", "is there {}?", DENIED)  # besides the simple and the precise sentence
PAINTED_FROM = 0.5  # on the fixed scale: from here on the page marks a pixel
ONE_SIDED = 0.9  # of the ground truth lies on one side of the image


@dataclass(frozen=True)
class SideAnswer:
    """A flagged finding whose ground truth lies on one side: where it is seen, and what holds of the text
    with the true side and of the one with the other side."""

    finding: str
    source: str
    true: str
    seen: str | None
    holds_true: bool | None
    holds_other: bool | None
    patient: str = ""


@dataclass(frozen=True)
class EmptyAnswer:
    """A finding asked of an image without any. `painted`: the share of the image that the page marks."""

    finding: str
    source: str
    flagged: bool | None
    painted: float
    patient: str = ""


@dataclass(frozen=True)
class DenialAnswer:
    """A finding denied in several ways. `alike`: each has the finding's probability, and holds just where it
    is not flagged. `ill`: the finding has ground truth there; False: the image has no finding."""

    finding: str
    source: str
    ill: bool
    absent: bool | None
    alike: bool
    patient: str = ""


@dataclass(frozen=True)
class NormalAnswer:
    """An image called normal. `ill`: it has ground truth; False: it has no finding."""

    source: str
    ill: bool
    holds: bool | None
    patient: str = ""


@dataclass(frozen=True)
class WordingAnswer:
    """A case asked in several words: by wording, the probability and the pointing game's hit."""

    finding: str
    source: str
    probabilities: dict[str, float | None]
    hits: dict[str, bool]
    patient: str = ""


@dataclass
class Answers:
    """All that was asked. Every answer has its patient: intervals draw patients."""

    sides: list[SideAnswer] = field(default_factory=list)
    empty: list[EmptyAnswer] = field(default_factory=list)
    denials: list[DenialAnswer] = field(default_factory=list)
    normal: list[NormalAnswer] = field(default_factory=list)
    wordings: list[WordingAnswer] = field(default_factory=list)


def ask_answers(config: EvaluationConfig, encode: Callable[..., View], wordings: bool = True) -> Answers:
    """Ask about every image of the set. `encode`: the model's. Images that cannot be read are left out, and
    so are ground truths of what is no listed pathology."""
    answers = Answers()
    for row in config.dataset.rows:
        try:
            image = read_image(row.path)
        except ImageError:
            continue
        view = encode(image, config.modality or row.modality)
        healthy = _is_healthy(row, view.modality)
        truths = _truths(row, view)
        if healthy or truths:
            holds = view.locate("normal").holds
            answers.normal.append(NormalAnswer(row.source, bool(truths), holds, row.patient))
        if healthy:
            _ask_healthy(config, row, view, answers)
        for entry, mask in truths.items():
            _ask_case(row, view, entry, mask, answers, wordings)
    return answers


def _ask_healthy(config: EvaluationConfig, row: Row, view: View, answers: Answers) -> None:
    for modality, name in config.common_findings:
        if modality == view.modality:
            entry = load_findings(modality)[name]
            bare = view.locate(entry.simple)
            painted = 0.0 if bare.present is False else float((bare.heatmap > PAINTED_FROM).mean())
            answers.empty.append(EmptyAnswer(entry.id, row.source, bare.present, painted, row.patient))
            answers.denials.append(_ask_denials(row, view, entry, bare, ill=False))


def _ask_case(
    row: Row, view: View, entry: FindingEntry, mask: np.ndarray, answers: Answers, wordings: bool
) -> None:
    bare = view.locate(entry.simple)
    answers.denials.append(_ask_denials(row, view, entry, bare, ill=True))
    side = true_side(mask, view.orientation.patient_right) if entry.sided else None
    if bare.present and side:
        right, wrong = (view.locate(f"{each} {entry.name}") for each in (side, OPPOSITE_SIDE[side]))
        seen = None if right.side is None else right.side.seen
        answers.sides.append(
            SideAnswer(entry.id, row.source, side, seen, right.holds, wrong.holds, row.patient)
        )
    if wordings:
        texts = {"simple": entry.simple, "precise": entry.precise}
        texts |= {wording: wording.format(entry.name) for wording in WORDINGS}
        texts |= {f"synonym {number}": text for number, text in enumerate(entry.synonyms[:2], 1)}
        found = {wording: view.locate(text) for wording, text in texts.items()}
        answers.wordings.append(
            WordingAnswer(
                entry.id,
                row.source,
                {wording: each.probability for wording, each in found.items()},
                {wording: bool(mask.flat[each.heatmap.argmax()]) for wording, each in found.items()},
                row.patient,
            )
        )


def _ask_denials(row: Row, view: View, entry: FindingEntry, bare: Finding, ill: bool) -> DenialAnswer:
    found = [view.locate(form.format(entry.name)) for form in DENIALS]
    absent = None if bare.present is None else not bare.present
    alike = all(each.probability == bare.probability and each.holds == absent for each in found)
    return DenialAnswer(entry.id, row.source, ill, absent, alike, row.patient)


def _is_healthy(row: Row, modality: str) -> bool:
    entries = [find_by_label(label, modality) for label in row.labels or ()]
    return bool(entries) and all(entry is not None and entry.family == "normal" for entry in entries)


def _truths(row: Row, view: View) -> dict[FindingEntry, np.ndarray]:
    """The ground truth of each listed pathology, bool (height, width)."""
    found: dict[FindingEntry, np.ndarray] = {}
    for truth in row.truths:
        entry = find_by_label(truth.label, view.modality)
        if entry is not None and not entry.normal:
            mask = truth.draw(view.image.height, view.image.width)
            if mask.any():
                found[entry] = found[entry] | mask if entry in found else mask
    return found


def true_side(mask: np.ndarray, patient_right: str | None) -> str | None:
    """The side of the patient that a ground truth (height, width) lies on; None for both, or where the
    patient's right is not known to lie on the "left" or "right" of the picture."""
    if patient_right is None:
        return None
    half = mask.shape[1] // 2
    share = float(mask[:, :half].sum() / mask.sum())
    if max(share, 1 - share) < ONE_SIDED:
        return None
    return "right" if (share > 0.5) == (patient_right == "left") else "left"
