"""What can be taken away of a finished run of a set: tables and figures, each made when first asked for."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import pyarrow.parquet as pq

from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.csv_tables import cases_csv, comparison_csv
from afloc.evaluation.entrant import Entrant
from afloc.evaluation.figures.set_figures import PLOTS, TITLES, draw_cases, draw_plot
from afloc.evaluation.figures.style import KINDS
from afloc.evaluation.summary import paired_differences
from afloc.files import whole_file

TABLES = ("cases.csv", "cases.parquet", "summary.json")
COMPARISON = "comparison.csv"
ALL = "figures.zip"
_PREFIX = "figure_"


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run whose every image is measured: how it was asked, and its folder."""

    plan: EvaluationConfig
    folder: Path = field(repr=False)

    def entrant(self, name: str) -> Entrant:
        summary = json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))
        cases = pq.read_table(self.folder / "cases.parquet")
        return Entrant(name, self.plan.style, self.plan.model.fingerprint, summary, cases)


class SetFiles:
    """The files of one run. `both`: the runs in simple and in precise words, where both are finished.

    `kept`: the folder for what is made here; the folder of the run itself may be somebody else's.
    """

    def __init__(self, run: FinishedRun, both: Sequence[FinishedRun], kept: Path):
        self._run, self._kept = run, kept
        self._both = both if len(both) > 1 else ()

    def names(self) -> list[str]:
        """The figures that there are, by the names of TITLES."""
        summary = json.loads((self._run.folder / "summary.json").read_text(encoding="utf-8"))
        if not summary["n_cases"]:
            return []
        read = any(each["readers"]["iou"]["mean"] is not None for each in summary["categories"].values())
        there = {
            "readers": read,
            "descriptions": bool(self._both),
            "detection": any(
                each["pathology"]["froc"]["mean"] is not None
                for each in summary.get("detection", {}).values()
            ),
            "calibration": bool(summary.get("calibration")),
        }
        return [name for name in TITLES if there.get(name, True)]

    def tables(self) -> list[str]:
        return [*TABLES, *([COMPARISON] if self._both else [])]

    def get(self, file: str) -> Path | None:
        """The path of a file; None where there is none of that name."""
        if file in TABLES and (self._run.folder / file).is_file():
            return self._run.folder / file
        path = self._kept / PurePath(file).name
        if path.is_file():
            return path
        content = self._make(file)
        if content is None:
            return None
        self._kept.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as written:
            written.write_bytes(content)
        return path

    def _make(self, file: str) -> bytes | None:
        if file == ALL:
            return self._pack()
        if file == "cases.csv":  # of a run that an older version made
            return cases_csv(pq.read_table(self._run.folder / "cases.parquet")).encode()
        if file == COMPARISON and self._both:
            first, other = self._entrants(self._both)
            differences = [paired_differences(other.cases, first.cases)]
            return comparison_csv((first, other), differences).encode()
        name, kind = PurePath(file).stem.removeprefix(_PREFIX), PurePath(file).suffix[1:]
        if kind not in KINDS or name not in self.names() or file != f"{_PREFIX}{name}.{kind}":
            return None
        if name not in PLOTS:
            return draw_cases(self._run.plan, self._run.entrant(self._run.plan.model.name), kind)
        return draw_plot(name, self._entrants(self._both if name == "descriptions" else [self._run]), kind)

    def _entrants(self, runs: Sequence[FinishedRun]) -> list[Entrant]:
        several = len(runs) > 1
        return [
            run.entrant(f"{run.plan.model.name}, {run.plan.style}" if several else run.plan.model.name)
            for run in runs
        ]

    def _pack(self) -> bytes:
        """All figures, as SVG and as PNG, and the tables."""
        figures = [f"{_PREFIX}{name}.{kind}" for name in self.names() for kind in ("svg", "png")]
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in (*figures, *self.tables()):
                path = self.get(file)
                if path is not None:
                    archive.writestr(zipfile.ZipInfo(file), path.read_bytes())
        return written.getvalue()
