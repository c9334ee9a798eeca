"""`afloc locate --figures`: the files that the Ground truth tab gives of one image."""

from pathlib import Path
from typing import TYPE_CHECKING

from afloc.errors import SettingsError
from afloc.language.findings import find_by_label
from afloc.text import one_line

if TYPE_CHECKING:
    from afloc.evaluation.datasets.ground_truth import GroundTruth
    from afloc.inference.finding import Finding
    from afloc.inference.model import Model
    from afloc.inference.view import View


def check_figures(out: Path | None, protocol: str) -> None:
    """SettingsError where figures cannot be drawn."""
    if out is None:
        raise SettingsError("--figures and --truth need --out: the folder to draw the figures into.")
    if protocol != "native":
        raise SettingsError(
            "--figures and --truth need --protocol native, whose maps are as large as the image."
        )


def write_figures(
    folder: Path,
    model: "Model",
    view: "View",
    findings: list["Finding"],
    image: Path,
    truth: Path | None,
) -> None:
    """Write N-figure and, where it has ground truth, N-curve (SVG, PDF, PNG) of each finding, and of all of
    them numbers.csv, numbers.json and curve.csv.

    `truth`: a file of ground truth; a text is held against the finding of the file that it names, or against
    the only one.
    """
    import numpy as np

    from afloc.evaluation.agreement import Agreement
    from afloc.evaluation.datasets.single_image import read_annotation_file
    from afloc.evaluation.figures.image_figure import ImageFigure
    from afloc.evaluation.image_report import FILES, TABLES, ImageReport

    size = view.image.height, view.image.width
    truths = () if truth is None else read_annotation_file(truth, *size, image.name)
    answers = []
    for finding in findings:
        own = _truth_of(finding, truths, view.modality)
        mask = np.zeros(size, bool) if own is None else own.draw(*size)
        label = (own.label if own else "") or one_line(finding.text, 200)
        answers.append(Agreement(label, "simple", finding, mask))
    name = f"{model.name} {model.config.version}".strip()
    for order, answer in enumerate(answers):
        figure = ImageFigure(view.image, (answer,), name, model.fingerprint)
        report = ImageReport(image.name, view.modality, figure, answers)
        for file in FILES:
            if file in TABLES:
                if order == 0:
                    (folder / file).write_bytes(report.write(file))
            elif answer.truth.any() or file.startswith("figure"):
                (folder / f"{order}-{file}").write_bytes(report.write(file))


def _truth_of(finding: "Finding", truths: tuple["GroundTruth", ...], modality: str) -> "GroundTruth | None":
    """The truth of the finding that a text names, or the only one there is."""
    asked = finding.asked.finding if finding.asked else None
    for truth in truths:
        entry = find_by_label(truth.label, modality)
        if entry and entry.id == asked:
            return truth
    return truths[0] if len(truths) == 1 else None
