"""What can be taken away of one image with ground truth: its figure, its curve and its numbers, as files."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np

from afloc.evaluation.agreement import SCALE_TITLES, SCALES, Agreement
from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.csv_tables import to_csv
from afloc.evaluation.figures.image_figure import RESEARCH, ImageFigure, plot_curve, plot_image
from afloc.evaluation.figures.style import KINDS, draw

TABLES = {"numbers.csv": "text/csv", "numbers.json": "application/json", "curve.csv": "text/csv"}
FILES = {f"{name}.{kind}": media for name in ("figure", "curve") for kind, media in KINDS.items()} | TABLES
"""The files by name, with their media types."""

ALL = "figures.zip"
_ABOUT = ("image", "modality", "model", "fingerprint")
_CURVE = ("finding", "style", "description", "scale", "threshold", "iou", "dice", "area")


@dataclass(frozen=True, eq=False)
class ImageReport:
    """One image and every answer on it that is held against ground truth; `figure` shows one finding of them.

    `name`: what the image is called, in the tables alone: a figure may be published.
    """

    name: str
    modality: str
    figure: ImageFigure
    answers: Sequence[Agreement] = field(repr=False)

    def write(self, file: str) -> bytes:
        """A file of FILES, or ALL of them as a ZIP file."""
        if file == ALL:
            written = io.BytesIO()
            with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
                for each in FILES:
                    archive.writestr(zipfile.ZipInfo(each), self.write(each))
            return written.getvalue()
        if file in TABLES:
            make = {"numbers.csv": self._numbers, "numbers.json": self._json, "curve.csv": self._curves}
            return make[file]().encode()
        path = PurePath(file)
        plot = plot_image if path.stem == "figure" else plot_curve
        return draw(lambda: plot(self.figure), path.suffix[1:]) or b""

    @property
    def _about(self) -> dict:
        about = self.name, self.modality, self.figure.model, self.figure.fingerprint
        return dict(zip(_ABOUT, about, strict=True))

    @property
    def _records(self) -> list[dict]:
        return [each.record(self.figure.scale, self.figure.threshold) for each in self.answers]

    def _numbers(self) -> str:
        records = self._records
        columns = dict.fromkeys(key for record in records for key in record)
        return to_csv([self._about | record for record in records], [*_ABOUT, *columns])

    def _json(self) -> str:
        records = self._records
        told = {key for record in records for key in record}
        measures = {
            key: {"name": each.name, "scale": each.scale, "meaning": each.meaning}
            for key, each in MEASURES.items()
            if key in told
        }
        image = self.figure.image
        content = self._about | {
            "width": image.width,
            "height": image.height,
            "findings": records,
            "measures": measures,
            "note": RESEARCH,
        }
        return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def _curves(self) -> str:
        rows = []
        for answer in self.answers:
            known = bool(answer.truth.any())
            for scale, thresholds in SCALES.items():
                at = answer.curves[scale]
                for step, threshold in enumerate(thresholds):
                    agreement = (at.iou[step], at.dice[step]) if known else (np.nan, np.nan)
                    values = threshold, *agreement, at.area[step]
                    words = answer.label, answer.style, answer.finding.text, SCALE_TITLES[scale]
                    rows.append(dict(zip(_CURVE, (*words, *values), strict=True)))
        return to_csv(rows, _CURVE)
