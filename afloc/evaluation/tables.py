"""The figures of a run as tables of text."""

import numpy as np

from afloc.evaluation.baselines import BASELINES
from afloc.evaluation.datasets.rows import is_pathology
from afloc.evaluation.measure import METRICS


def format_table(summary: dict) -> str:
    """The figures of a run as text: a line a category, the means below, pathologies first."""
    head = (
        f"{'':32} {'n':>4}  {'IoU':>5} {'Dice':>5} {'CNR':>6}  {'95%':^13}  {'point':>5}   CNR less own mean"
    )
    lines = [head]
    categories = sorted(summary["categories"].items(), key=lambda item: (not item[1]["pathology"], item[0]))
    for name, each in categories:
        lines.append(_line(name if each["pathology"] else f"({name})", each["n"], each))
    for group, title in (("pathology", "mean over pathologies"), ("all", "mean over all categories")):
        lines.append(_line(title, "", summary["overall"][group]))
    blind = summary["overall"]["pathology"]["blind"]
    for name, title in zip(BASELINES, ("own mean map", "mean ground truth", "center"), strict=True):
        lines.append(_line(f"  {title}, pathologies", "", blind[name]))
    for source, each in summary["normal_images"].items():
        source = source[:40]
        present, painted = (_number(each[key]["mean"], 3) for key in ("judged_present", "painted_area"))
        lines.append(
            f"No finding, {source}, {each['n_images']} images: of {len(each['findings'])} findings "
            f"{present} judged present, {painted} of the image painted"
        )
    for source, labels in summary["classification"].items():
        areas = [
            each["auroc"]["mean"]
            for label, each in labels.items()
            if is_pathology(label) and min(each["n_positive"], each["n_negative"]) >= 5
        ]
        if areas:
            lines.append(
                f"AUROC, {source[:40]}: {np.mean(areas):.3f}, mean of {len(areas)} findings of 5 or more"
            )
    return "\n".join(lines)


def format_differences(found: dict) -> str:
    """Paired differences as text: a line a category and the means below, each with its interval."""
    rows = [*sorted(found["categories"].items())]
    rows += [("mean over pathologies", found["overall"]["pathology"]), ("mean", found["overall"]["all"])]
    lines = [f"{'':32} {'n':>4}  {'IoU':^23} {'Dice':^23} {'CNR':^23} {'pointing':^23}".rstrip()]
    for name, each in rows:
        figures = [
            f"{_number(each[metric]['mean'], 3)} {_interval(each[metric]['ci95'])}" for metric in METRICS
        ]
        lines.append(
            f"{name[:32]:32} {each.get('n', ''):>4}  {' '.join(f'{f:23}' for f in figures)}".rstrip()
        )
    return "\n".join(lines)


def _line(title: str, count: object, each: dict) -> str:
    numbers = [_number(each[metric]["mean"], 2 if metric == "cnr" else 3) for metric in METRICS]
    iou, dice, cnr, pointing = numbers
    against = each.get("difference", {}).get("own_mean", {}).get("cnr")
    difference = f"{_number(against['mean'], 2)} {_interval(against['ci95'])}" if against else ""
    return (
        f"{title[:32]:32} {count:>4}  {iou:>5} {dice:>5} {cnr:>6}  {_interval(each['cnr']['ci95']):^13}  "
        f"{pointing:>5}   {difference:>21}"
    ).rstrip()


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _interval(interval: list[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.2f} … {interval[1]:.2f}"
