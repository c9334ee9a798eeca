"""What a further training changed, on patients that neither it nor the calibration saw."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.datasets.rows import Dataset, Row
from afloc.evaluation.run import evaluate
from afloc.inference.model import load_model
from afloc.language.findings import load_findings
from afloc.training.data.pairs import Pair
from afloc.training.data.table import PairTable

ENOUGH = 5  # images with, and without, a finding, for a figure of it


@dataclass(frozen=True)
class FindingChange:
    """A finding of a source: images with and without it, and the figures of `classification` (AUROC with its
    interval, sensitivity and specificity of the verdict) before and after."""

    source: str
    finding: str
    n_positive: int
    n_negative: int
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True)
class Change:
    """The change of every finding that enough images have and lack."""

    before_name: str
    after_name: str
    findings: tuple[FindingChange, ...]

    def table(self) -> str:
        """As a table in Markdown."""
        if not self.findings:
            return (
                f"No figure: no finding is named on {ENOUGH} of the images for the figures and missing on as "
                "many."
            )
        lines = [
            "AUROC with 95% intervals (BCa bootstrap over patients); sensitivity and specificity of the "
            "verdicts.",
            "",
            f"| source, finding | with, without | AUROC, {self.before_name} | AUROC, {self.after_name} "
            "| sensitivity | specificity |",
            "|---|--:|---|---|--:|--:|",
        ]
        for each in self.findings:
            pairs = (
                f"{_short(each.before[name])} → {_short(each.after[name])}"
                for name in ("sensitivity", "specificity")
            )
            lines.append(
                f"| {each.source}, {each.finding} | {each.n_positive}, {each.n_negative} | "
                f"{_area(each.before)} | {_area(each.after)} | {' | '.join(pairs)} |"
            )
        return "\n".join(lines)


def measure_change(
    test: PairTable, modality: str, before: str | Path | None, after: Path, device: str
) -> Change:
    """Ask both models for the findings that the reports of `test` name."""
    dataset = Dataset("held back", tuple(_row(test[n], modality) for n in range(len(test))))
    names, found = [], []
    for source in (before, after):
        model = load_model(source, device)
        with tempfile.TemporaryDirectory() as folder:
            config = EvaluationConfig(dataset, model, modality=modality)
            summary = evaluate(config, Path(folder)) if dataset.rows else {"classification": {}}
        names.append(model.name)
        found.append(summary["classification"])
    first, second = found
    changes = [
        FindingChange(source, finding, each["n_positive"], each["n_negative"], each, second[source][finding])
        for source, findings in first.items()
        for finding, each in findings.items()
        if min(each["n_positive"], each["n_negative"]) >= ENOUGH
    ]
    return Change(names[0], names[1], tuple(changes))


def _row(pair: Pair, modality: str) -> Row:
    entries = load_findings(modality)
    labels = tuple(sorted(entries[f].name for f in pair.affirmed if entries[f].family != "structure"))
    return Row(
        pair.image.name,
        pair.image,
        pair.image.name,
        labels=labels,
        patient=pair.patient,
        source=pair.source,
        modality=modality,
    )


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _area(figures: dict[str, Any]) -> str:
    area = figures["auroc"]
    interval = area["ci95"]
    return _short(area["mean"]) + (f" ({interval[0]:.2f} … {interval[1]:.2f})" if interval else "")
