"""The figures of a run as tables of text."""

import numpy as np

from afloc.evaluation.answer_tables import format_answers
from afloc.evaluation.baselines import BASELINES
from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.datasets.rows import is_pathology
from afloc.evaluation.measure import METRICS, RANKED


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
    titles = ("own mean map", "mean ground truth", "anatomy", "center")
    for name, title in zip(BASELINES, titles, strict=True):
        if name != "anatomy" or blind[name]["cnr"]["mean"] is not None:
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
    lines += [*_ranked(summary), *_detection(summary["detection"]), *_calibration(summary["calibration"])]
    if "answers" in summary:
        lines += ["", format_answers(summary["answers"])]
    return "\n".join(lines)


def _ranked(summary: dict) -> list[str]:
    """Pixel AP with its lift over the blind maps, AUPRO and the distance of centers."""
    titles = [MEASURES[metric].name for metric in RANKED]
    less = " ".join(f"{f'less {title}':^22}" for title in ("own mean", "mean truth", "anatomy"))
    heads = f"{titles[0]:^22} {less} {titles[1]:^22} distance"
    lines = ["", f"{'No display curve changes these':32} {heads}"]
    rows = sorted(summary["categories"].items(), key=lambda item: (not item[1]["pathology"], item[0]))
    rows.append(("mean over pathologies", summary["overall"]["pathology"]))
    for name, each in rows:
        lifts = [each["difference"][blind]["pixel_ap"] for blind in BASELINES[:3]]
        figures = [each["pixel_ap"], *lifts, each["aupro"]]
        distance = _number(each["center_distance_share"]["mean"], 3)
        cells = " ".join(f"{_figure(found):22}" for found in figures)
        lines.append(f"{name[:32]:32} {cells} {distance}".rstrip())
    return lines


def _detection(found: dict) -> list[str]:
    lines = []
    for source, each in found.items():
        lines += ["", f"{'Found and placed, ' + source[:36]:54} with/out  LROC area            FROC score"]
        for name, figures in (*each["labels"].items(), ("mean over pathologies", each["pathology"])):
            counts = f"{figures['n_positive']}/{figures['n_negative']}" if "n_positive" in figures else ""
            placed = f"{_figure(figures['lroc']):22} {_figure(figures['froc']):22}"
            lines.append(f"  {name[:52]:52} {counts:>8}  {placed}".rstrip())
    return lines


def _calibration(found: dict) -> list[str]:
    lines = []
    for modality, each in found.items():
        lines.append("")
        for name, figures in {f"Probabilities, {modality}": each, **each["families"]}.items():
            lines.append(
                f"{name:28} n {figures['n']:6} there {figures['n_positive'] / figures['n']:.3f}  "
                f"Brier {_figure(figures['brier'])}, of one probability for all "
                f"{figures['brier_of_frequency']:.3f}  ECE {_figure(figures['ece'])}"
            )
    return lines


def _figure(found: dict) -> str:
    """A mean with its interval in three digits."""
    if found["mean"] is None:
        return ""
    ends = found["ci95"]
    return f"{found['mean']:.3f}" + (f" ({ends[0]:.3f} … {ends[1]:.3f})" if ends else "")


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
