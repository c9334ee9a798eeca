"""What is asked of a model about a set: the descriptions of each image."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from afloc.evaluation.datasets.ground_truth import Truth
from afloc.evaluation.datasets.rows import Dataset, Row
from afloc.language.findings import find_by_label, load_findings, sentence_for_label

STYLES = ("simple", "precise")
COMMON_FINDINGS = 10  # asked of images without a finding

_LAYOUT = 1  # of the parts; another one does not go on from them
_PART_IMAGES = 32


@dataclass(frozen=True)
class Plan:
    """What is asked of which model: everything that the parts of a run must agree in."""

    dataset: Dataset
    model: object
    protocol: str = "native"
    style: str = "simple"
    modality: str | None = None

    @cached_property
    def parts(self) -> list[range]:
        """Blocks of row numbers; about two dozen of a small set, so that its shards are alike."""
        count = len(self.dataset.rows)
        size = min(_PART_IMAGES, max(1, count // 24))
        return [range(start, min(start + size, count)) for start in range(0, count, size)]

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """What is asked of the images of each source: every label given there."""
        found: dict[str, Counter] = {}
        for row in self.dataset.rows:
            if row.labels is not None:
                found.setdefault(row.source, Counter()).update(row.labels)
        return {source: tuple(sorted(counts)) for source, counts in found.items()}

    @cached_property
    def common(self) -> tuple[tuple[str, str], ...]:
        """(modality, id) of the commonest findings of the set."""
        counts: Counter = Counter()
        for row in self.dataset.rows:
            entries = (find_by_label(label, self.modality or row.modality) for label in row.labels or ())
            counts.update({(entry.modality, entry.id) for entry in entries if entry and not entry.normal})
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(key for key, _ in ranked[:COMMON_FINDINGS])

    @cached_property
    def identity(self) -> dict[str, str]:
        return {
            "layout": str(_LAYOUT),
            "set": self.dataset.digest,
            "model": self.model.fingerprint,
            "protocol": self.protocol,
            "descriptions": self.style,
            "modality": self.modality or "",
        }


class Asked:
    """What is asked of one image: its truths, its source's labels and, if normal, the common findings."""

    def __init__(self, plan: Plan, row: Row, modality: str):
        self.truths = [describe(truth, modality, plan.style) for truth in row.truths]
        labels = () if row.labels is None else plan.labels[row.source]
        self.labels = {label: sentence_for_label(label, modality) for label in labels}
        self.common = {}
        if row.labels and all(map(_is_normal, row.labels)):
            entries = [load_findings(kind)[name] for kind, name in plan.common if kind == modality]
            self.common = {entry.name: entry.simple for entry in entries}
        self.texts = list(dict.fromkeys([*self.truths, *self.labels.values(), *self.common.values()]))


def describe(truth: Truth, modality: str, style: str = "simple") -> str:
    """What is asked for a truth: the set's own words, else the finding's simple or precise sentence."""
    if style == "simple":
        return sentence_for_label(truth.label, modality)
    entry = find_by_label(truth.label, modality)
    return truth.description or (entry.precise if entry else sentence_for_label(truth.label, modality))


def _is_normal(label: str) -> bool:
    entry = find_by_label(label)
    return entry is not None and entry.normal and entry.family == "normal"
