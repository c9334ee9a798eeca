"""The texts that a model is asked about an image of a set."""

from dataclasses import dataclass

from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.evaluation.datasets.rows import Row
from afloc.language.findings import find_by_label, load_findings, sentence_for_label


@dataclass(frozen=True)
class Queries:
    """The texts for one image.

    `truths`: one for each ground truth of the image. `labels`: by label, for every label of the image's
    source. `common`: by finding, the set's most frequent ones, for an image without any finding.
    """

    truths: tuple[str, ...]
    labels: dict[str, str]
    common: dict[str, str]

    @property
    def texts(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.truths, *self.labels.values(), *self.common.values()]))


def queries_for(row: Row, modality: str, config: EvaluationConfig) -> Queries:
    """The texts for the image of `row`, which is of this modality."""
    common = {}
    if row.labels and all(map(_is_normal, row.labels)):
        entries = [load_findings(kind)[name] for kind, name in config.common_findings if kind == modality]
        common = {entry.name: entry.simple for entry in entries}
    labels = () if row.labels is None else config.labels[row.source]
    return Queries(
        tuple(describe(truth, modality, config.style) for truth in row.truths),
        {label: sentence_for_label(label, modality) for label in labels},
        common,
    )


def describe(truth: GroundTruth, modality: str, style: str = "simple") -> str:
    """The text for a ground truth.

    Style "simple": the finding's simple sentence. "precise": the set's own words, else the finding's precise
    sentence.
    """
    if style == "simple":
        return sentence_for_label(truth.label, modality)
    entry = find_by_label(truth.label, modality)
    return truth.description or (entry.precise if entry else sentence_for_label(truth.label, modality))


def _is_normal(label: str) -> bool:
    entry = find_by_label(label)
    return entry is not None and entry.normal and entry.family == "normal"
