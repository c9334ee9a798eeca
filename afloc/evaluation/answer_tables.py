"""Tables of what was answered, as answers.json has them, with 95% intervals over patients.

A part of a table has `n`, its shares and means by name, and under `ci95` the interval of each, None for fewer
than ten patients.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from afloc.evaluation.answers import (
    DENIED,
    Answers,
    DenialAnswer,
    EmptyAnswer,
    NormalAnswer,
    SideAnswer,
    WordingAnswer,
)
from afloc.evaluation.bootstrap import FEWEST_CLUSTERS, bootstrap
from afloc.evaluation.columns import weighted_means
from afloc.files import write_text

ANSWERS = "answers.json"
_ABOUT = ("model", "set")  # what they are answers of


def summarise_answers(answers: Answers) -> dict:
    """The five tables by name."""
    return {
        "wrong_side": wrong_side(answers.sides),
        "empty_target": empty_target(answers.empty),
        "denials": denials(answers.denials),
        "normality": normality(answers.normal),
        "wording_spread": wording_spread(answers.wordings),
    }


def answers_beside(folder: Path, summary: dict) -> dict:
    """{"answers": the tables of answers.json} where the folder of a run holds them, of the same model and
    set; else {}."""
    path = folder / ANSWERS
    if not path.is_file():
        return {}
    answers = json.loads(path.read_text(encoding="utf-8"))
    same = all(answers.get(key) == summary.get(key) for key in _ABOUT)
    return {"answers": {key: value for key, value in answers.items() if key not in _ABOUT}} if same else {}


def write_answers(folder: Path, about: dict, tables: dict) -> None:
    """Write answers.json, and the tables into summary.json, too, where the folder holds a run of the same.

    `about`: the model ({"name", "fingerprint"}) and the name of the set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / ANSWERS, json.dumps(about | tables, indent=2, allow_nan=False))
    if (path := folder / "summary.json").is_file():
        summary = json.loads(path.read_text(encoding="utf-8"))
        write_text(path, json.dumps(summary | answers_beside(folder, summary), indent=2, allow_nan=False))


def wrong_side(found: Sequence[SideAnswer]) -> dict:
    """Of flagged cases with a ground truth on one side: how many sides are decided (`decided`), which share
    of those is right, and the shares of all that hold on the wrong side and that are denied on the right
    one. Over all, and by finding."""

    def figures(part: Sequence[SideAnswer]) -> dict:
        counted = {"n": len(part), "decided": sum(each.seen is not None for each in part)}
        return counted | _means(
            part,
            share_decided=[each.seen is not None for each in part],
            right=[None if each.seen is None else each.seen == each.true for each in part],
            held_on_wrong_side=[each.holds_other is True for each in part],
            denied_on_right_side=[each.holds_true is False for each in part],
        )

    return figures(found) | {"findings": _by("finding", found, figures)}


def empty_target(found: Sequence[EmptyAnswer]) -> dict:
    """Of images without a finding: the share flagged and the share of the image painted, by source and by
    finding."""

    def figures(part: Sequence[EmptyAnswer]) -> dict:
        return {"n": len(part)} | _means(
            part,
            flagged=[each.flagged is True for each in part],
            painted=[each.painted for each in part],
        )

    return figures(found) | {
        "sources": _by("source", found, figures),
        "findings": _by("finding", found, figures),
    }


def denials(found: Sequence[DenialAnswer]) -> dict:
    """How many denials are not answered as the finding itself (`unlike`), and by finding: the share of images
    without a finding on which its absence holds, beside the share of its cases that are flagged."""

    def figures(part: Sequence[DenialAnswer]) -> dict:
        return _count_ill(part) | _means(
            part,
            absence_holds=[None if each.ill else each.absent is True for each in part],
            sensitivity=[each.absent is False if each.ill else None for each in part],
        )

    return {
        "n": len(found),
        "unlike": sum(not each.alike for each in found),
        "findings": _by("finding", found, figures),
    }


def normality(found: Sequence[NormalAnswer]) -> dict:
    """The share of images without a finding, and of those with ground truth, that hold for normal; by
    source."""

    def figures(part: Sequence[NormalAnswer]) -> dict:
        return _count_ill(part) | _means(
            part,
            holds_healthy=[None if each.ill else each.holds is True for each in part],
            holds_ill=[each.holds is True if each.ill else None for each in part],
        )

    return figures(found) | {"sources": _by("source", found, figures)}


def wording_spread(found: Sequence[WordingAnswer]) -> dict:
    """How far one case's answers lie apart. Of the wordings' probabilities in a case: the mean (`spread`) and
    the largest (`widest`) difference. Of the pointing game: the share of cases that some affirming wordings
    hit and others miss (`hit_by_some`); what is denied has no place. By wording, the mean probability and
    the share of hits."""
    wordings = list(dict.fromkeys(wording for each in found for wording in each.probabilities))
    known = [[value for value in each.probabilities.values() if value is not None] for each in found]
    hits = [[hit for wording, hit in each.hits.items() if wording != DENIED] for each in found]
    widths = [max(values) - min(values) if values else None for values in known]

    def figures(wording: str) -> dict:
        part = [each for each in found if wording in each.probabilities]
        return {"n": len(part)} | _means(
            part,
            probability=[each.probabilities[wording] for each in part],
            unjudged=[each.probabilities[wording] is None for each in part],
            pointing=[each.hits[wording] for each in part],
        )

    return {
        "n": len(found),
        "widest": max((width for width in widths if width is not None), default=None),
        **_means(found, spread=widths, hit_by_some=[len(set(places)) > 1 for places in hits]),
        "wordings": {wording: figures(wording) for wording in wordings},
    }


def format_answers(summary: dict) -> str:
    """The tables as text."""
    side, empty, denied = summary["wrong_side"], summary["empty_target"], summary["denials"]
    normal, words = summary["normality"], summary["wording_spread"]
    lines = [f"Sides: {side['n']} flagged cases on one side"]
    for name, each in {"all": side, **side["findings"]}.items():
        lines.append(
            f"  {name:28} n {each['n']:3}  decided {each['decided']:3}  right {_show(each, 'right')}  "
            f"wrong side holds {_show(each, 'held_on_wrong_side')}  "
            f"right side denied {_show(each, 'denied_on_right_side')}"
        )
    lines.append(
        f"Images without a finding: flagged {_show(empty, 'flagged')}, painted {_show(empty, 'painted')}"
    )
    lines.append(f"Denials: {denied['n']} asked, {denied['unlike']} answered otherwise than the finding")
    for name, each in denied["findings"].items():
        lines.append(
            f"  {name:28} absence holds on {_show(each, 'absence_holds')} of {each['n_healthy']} without a "
            f"finding, sensitivity {_show(each, 'sensitivity')} of {each['n_ill']}"
        )
    lines.append(
        f"Normal holds on {_show(normal, 'holds_healthy')} of {normal['n_healthy']} images without any, "
        f"on {_show(normal, 'holds_ill')} of {normal['n_ill']} with ground truth"
    )
    lines.append(
        f"Wordings: {words['n']} cases, probabilities differ by at most {words['widest']}; some wordings hit "
        f"and others miss in {_show(words, 'hit_by_some')}"
    )
    for name, each in words["wordings"].items():
        lines.append(
            f"  {name:28} probability {_show(each, 'probability')}  not judged {_show(each, 'unjudged')}  "
            f"pointing {_show(each, 'pointing')}"
        )
    return "\n".join(lines)


def _by(key: str, found: Sequence, figures: Callable[[Sequence], dict]) -> dict[str, dict]:
    """The figures of each part of `found`, by what it has under `key`."""
    names = sorted({getattr(each, key) for each in found})
    return {name: figures([each for each in found if getattr(each, key) == name]) for name in names}


def _count_ill(part: Sequence[DenialAnswer] | Sequence[NormalAnswer]) -> dict:
    ill = sum(each.ill for each in part)
    return {"n_healthy": len(part) - ill, "n_ill": ill}


def _means(part: Sequence, **columns: Sequence[float | None]) -> dict:
    """The mean of each column over those of the part that have a value, and its interval over patients."""
    values = np.array([list(map(_number, column)) for column in columns.values()], float).T
    values = values.reshape(len(part), len(columns))
    patients = np.array([each.patient for each in part], object)
    whole = weighted_means(values, np.ones((1, len(part))))[0]
    intervals: list[list[float] | None] = [None] * len(columns)
    if len(part):
        found = bootstrap(lambda weights: weighted_means(values, weights), patients)
        enough = [len(set(patients[~np.isnan(column)])) >= FEWEST_CLUSTERS for column in values.T]
        intervals = [
            [round(float(end), 4) for end in ends] if several and not np.isnan(ends).any() else None
            for ends, several in zip(found, enough, strict=True)
        ]
    means = [None if np.isnan(mean) else round(float(mean), 4) for mean in whole]
    return dict(zip(columns, means, strict=True)) | {"ci95": dict(zip(columns, intervals, strict=True))}


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _show(part: dict, name: str) -> str:
    """A figure of a part with its interval."""
    if part[name] is None:
        return "–"
    interval = part["ci95"][name]
    return f"{part[name]:.2f}" + (f" ({interval[0]:.2f} … {interval[1]:.2f})" if interval else "")
