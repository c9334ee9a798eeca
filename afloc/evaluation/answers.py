"""Three measures of what is answered, beside the maps: is the right side told from the wrong one, is nothing
flagged and painted where there is nothing, and does a finding get one answer however it is asked.

`ask_answers` asks a model about the images of a set; `wrong_side`, `empty_target`, `denials`, `normality` and
`wording_spread` are tables of what it answered.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from afloc.errors import ImageError
from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.datasets.rows import Row
from afloc.imaging.image import read_image
from afloc.inference.finding import Finding
from afloc.inference.view import View
from afloc.language.findings import FindingEntry, find_by_label, load_findings

DENIALS = ("no {}", "without {}", "{} absent")
WORDINGS = ("{}", "possible {}", "is there {}?", "no {}")  # besides the simple and the precise sentence
PAINTED_FROM = 0.5  # on the fixed scale: from here on the page marks a pixel
ONE_SIDED = 0.9  # of the ground truth lies on one side of the image
OTHER_SIDE = {"left": "right", "right": "left"}


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


@dataclass(frozen=True)
class EmptyAnswer:
    """A finding asked of an image without any. `painted`: the share of the image that the page marks."""

    finding: str
    source: str
    flagged: bool | None
    painted: float


@dataclass(frozen=True)
class DenialAnswer:
    """A finding denied in several ways. `alike`: each has the finding's probability, and holds just where it
    is not flagged. `ill`: the finding has ground truth there; False: the image has no finding."""

    finding: str
    source: str
    ill: bool
    absent: bool | None
    alike: bool


@dataclass(frozen=True)
class NormalAnswer:
    """An image called normal. `ill`: it has ground truth; False: it has no finding."""

    source: str
    ill: bool
    holds: bool | None


@dataclass(frozen=True)
class WordingAnswer:
    """A case asked in several words: by wording, the probability and the pointing game's hit."""

    finding: str
    source: str
    probabilities: dict[str, float | None]
    hits: dict[str, bool]


@dataclass
class Answers:
    """All that was asked."""

    sides: list[SideAnswer] = field(default_factory=list)
    empty: list[EmptyAnswer] = field(default_factory=list)
    denials: list[DenialAnswer] = field(default_factory=list)
    normal: list[NormalAnswer] = field(default_factory=list)
    wordings: list[WordingAnswer] = field(default_factory=list)

    def summarise(self) -> dict:
        """The tables, as answers.json has them."""
        return {
            "wrong_side": wrong_side(self.sides),
            "empty_target": empty_target(self.empty),
            "denials": denials(self.denials),
            "normality": normality(self.normal),
            "wording_spread": wording_spread(self.wordings),
        }


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
            answers.normal.append(NormalAnswer(row.source, bool(truths), holds))
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
            answers.empty.append(EmptyAnswer(entry.id, row.source, bare.present, painted))
            answers.denials.append(_ask_denials(row, view, entry, bare, ill=False))


def _ask_case(
    row: Row, view: View, entry: FindingEntry, mask: np.ndarray, answers: Answers, wordings: bool
) -> None:
    bare = view.locate(entry.simple)
    answers.denials.append(_ask_denials(row, view, entry, bare, ill=True))
    side = true_side(mask, view.orientation.patient_right) if entry.sided else None
    if bare.present and side:
        right, wrong = (view.locate(f"{each} {entry.name}") for each in (side, OTHER_SIDE[side]))
        seen = None if right.side is None else right.side.seen
        answers.sides.append(SideAnswer(entry.id, row.source, side, seen, right.holds, wrong.holds))
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
            )
        )


def _ask_denials(row: Row, view: View, entry: FindingEntry, bare: Finding, ill: bool) -> DenialAnswer:
    found = [view.locate(form.format(entry.name)) for form in DENIALS]
    absent = None if bare.present is None else not bare.present
    alike = all(each.probability == bare.probability and each.holds == absent for each in found)
    return DenialAnswer(entry.id, row.source, ill, absent, alike)


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


def wrong_side(found: Sequence[SideAnswer]) -> dict:
    """Of flagged cases with a ground truth on one side: how many sides are decided (`decided`), which share
    of those is right, and the shares of all that hold on the wrong side and that are denied on the right
    one. Over all, and by finding."""

    def figures(part: Sequence[SideAnswer]) -> dict:
        decided = [each for each in part if each.seen is not None]
        return {
            "n": len(part),
            "decided": len(decided),
            "share_decided": _share(each.seen is not None for each in part),
            "right": _share(each.seen == each.true for each in decided),
            "held_on_wrong_side": _share(each.holds_other is True for each in part),
            "denied_on_right_side": _share(each.holds_true is False for each in part),
        }

    return figures(found) | {"findings": _by("finding", found, figures)}


def empty_target(found: Sequence[EmptyAnswer]) -> dict:
    """Of images without a finding: the share flagged and the share of the image painted, by source and by
    finding."""

    def figures(part: Sequence[EmptyAnswer]) -> dict:
        return {
            "n": len(part),
            "flagged": _share(each.flagged is True for each in part),
            "painted": _mean(each.painted for each in part),
        }

    return figures(found) | {
        "sources": _by("source", found, figures),
        "findings": _by("finding", found, figures),
    }


def denials(found: Sequence[DenialAnswer]) -> dict:
    """How many denials are not answered as the finding itself (`unlike`), and by finding: the share of images
    without a finding on which its absence holds, beside the share of its cases that are flagged."""

    def figures(part: Sequence[DenialAnswer]) -> dict:
        healthy, ill = ([each for each in part if each.ill == kind] for kind in (False, True))
        return {
            "n_healthy": len(healthy),
            "absence_holds": _share(each.absent is True for each in healthy),
            "n_ill": len(ill),
            "sensitivity": _share(each.absent is False for each in ill),
        }

    return {
        "n": len(found),
        "unlike": sum(not each.alike for each in found),
        "findings": _by("finding", found, figures),
    }


def normality(found: Sequence[NormalAnswer]) -> dict:
    """The share of images without a finding, and of those with ground truth, that hold for normal; by
    source."""

    def figures(part: Sequence[NormalAnswer]) -> dict:
        healthy, ill = ([each for each in part if each.ill == kind] for kind in (False, True))
        return {
            "n_healthy": len(healthy),
            "holds_healthy": _share(each.holds is True for each in healthy),
            "n_ill": len(ill),
            "holds_ill": _share(each.holds is True for each in ill),
        }

    return figures(found) | {"sources": _by("source", found, figures)}


def wording_spread(found: Sequence[WordingAnswer]) -> dict:
    """By wording, the mean probability and the share of hits in the pointing game; and the largest
    difference between two wordings' probabilities in one case (`widest`)."""
    wordings = list(dict.fromkeys(wording for each in found for wording in each.probabilities))
    widths = [max(known) - min(known) for each in found if (known := _known(each.probabilities.values()))]
    return {
        "n": len(found),
        "widest": max(widths, default=None),
        "wordings": {
            wording: {
                "n": sum(wording in each.probabilities for each in found),
                "probability": _mean(_known(each.probabilities.get(wording) for each in found)),
                "unjudged": _share(
                    each.probabilities[wording] is None for each in found if wording in each.probabilities
                ),
                "pointing": _share(each.hits[wording] for each in found if wording in each.hits),
            }
            for wording in wordings
        },
    }


def format_answers(summary: dict) -> str:
    """The tables as text."""
    side, empty, denied = summary["wrong_side"], summary["empty_target"], summary["denials"]
    normal, words = summary["normality"], summary["wording_spread"]
    lines = [f"Sides: {side['n']} flagged cases on one side"]
    for name, each in {"all": side, **side["findings"]}.items():
        lines.append(
            f"  {name:28} n {each['n']:3}  decided {each['decided']:3}  right {_show(each['right'])}  "
            f"wrong side holds {_show(each['held_on_wrong_side'])}  "
            f"right side denied {_show(each['denied_on_right_side'])}"
        )
    lines.append(
        f"Images without a finding: flagged {_show(empty['flagged'])}, painted {_show(empty['painted'])}"
    )
    lines.append(f"Denials: {denied['n']} asked, {denied['unlike']} answered otherwise than the finding")
    for name, each in denied["findings"].items():
        lines.append(
            f"  {name:28} absence holds on {_show(each['absence_holds'])} of {each['n_healthy']} without a "
            f"finding, sensitivity {_show(each['sensitivity'])} of {each['n_ill']}"
        )
    lines.append(
        f"Normal holds on {_show(normal['holds_healthy'])} of {normal['n_healthy']} images without any, "
        f"on {_show(normal['holds_ill'])} of {normal['n_ill']} with ground truth"
    )
    lines.append(f"Wordings: {words['n']} cases, probabilities differ by at most {words['widest']}")
    for name, each in words["wordings"].items():
        lines.append(
            f"  {name:28} probability {_show(each['probability'])}  not judged {_show(each['unjudged'])}  "
            f"pointing {_show(each['pointing'])}"
        )
    return "\n".join(lines)


def _by(key: str, found: Sequence, figures: Callable[[Sequence], dict]) -> dict[str, dict]:
    """The figures of each part of `found`, by what it has under `key`."""
    names = sorted({getattr(each, key) for each in found})
    return {name: figures([each for each in found if getattr(each, key) == name]) for name in names}


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _share(truths: Iterable[bool]) -> float | None:
    return _mean(float(truth) for truth in truths)


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return round(sum(values) / len(values), 4) if values else None


def _show(value: float | None) -> str:
    return "   –" if value is None else f"{value:.2f}"
