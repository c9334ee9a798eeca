"""What an evaluation measures: which model, on which set, asked in which way."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from afloc.evaluation.datasets.rows import Dataset, Row, canonical_label
from afloc.imaging.image import Image
from afloc.inference.finding import Finding
from afloc.language.findings import find_by_label

STYLES = ("simple", "precise")
COMMON_FINDINGS = 10  # asked of images without a finding

_LAYOUT = 4  # of the chunks' files; a run does not go on from chunks of another layout
_CHUNK_IMAGES = 32


class EncodedImage(Protocol):
    """An image as a model sees it: a `View` of AFLoc or of a peer."""

    @property
    def modality(self) -> str: ...

    def locate(self, description: str) -> Finding: ...

    def locate_all(self, descriptions: Iterable[str]) -> list[Finding]: ...


class Localizer(Protocol):
    """A model that can be evaluated: `afloc.Model` or a peer."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def encode(self, image: Image, modality: str | None = None, protocol: str = "native") -> EncodedImage: ...


@dataclass(frozen=True)
class EvaluationConfig:
    """A model, a set and how the model is asked. All chunks of a run must agree in these.

    `style`: one of STYLES, which words a label is asked in. `modality`: of all images; None for what the set
    says, or else what is recognised.
    """

    dataset: Dataset
    model: Localizer
    protocol: str = "native"
    style: str = "simple"
    modality: str | None = None

    @cached_property
    def chunks(self) -> list[range]:
        """Ranges of row numbers. A small set has about two dozen, so that its shards are of like size."""
        count = len(self.dataset.rows)
        size = min(_CHUNK_IMAGES, max(1, count // 24))
        return [range(start, min(start + size, count)) for start in range(0, count, size)]

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """By source, every label that occurs there: all of them are asked of each image of the source."""
        found: dict[str, Counter] = {}
        for row in self.dataset.rows:
            if row.labels is not None:
                found.setdefault(row.source, Counter()).update(row.labels)
        return {source: tuple(sorted(counts)) for source, counts in found.items()}

    @cached_property
    def _placed(self) -> dict[str, set[str]]:
        """By source, the findings that have ground truth there."""
        found: dict[str, set[str]] = {}
        for row in self.dataset.rows:
            own = found.setdefault(row.source, set())
            own |= {self._finding(row, truth.label) for truth in row.truths}
        return found

    def _finding(self, row: Row, label: str) -> str:
        return canonical_label(label, self.modality or row.modality)

    def is_placed(self, row: Row, label: str) -> bool:
        """Whether an image without this label is a negative of cases that are asked in the same words: its
        source has ground truth for the finding, and the image itself has none."""
        finding = self._finding(row, label)
        own = {self._finding(row, truth.label) for truth in row.truths}
        return self.style == "simple" and finding in self._placed[row.source] - own

    @cached_property
    def common_findings(self) -> tuple[tuple[str, str], ...]:
        """(modality, id) of the most frequent findings of the set."""
        counts: Counter = Counter()
        for row in self.dataset.rows:
            entries = (find_by_label(label, self.modality or row.modality) for label in row.labels or ())
            counts.update({(entry.modality, entry.id) for entry in entries if entry and not entry.normal})
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(key for key, _ in ranked[:COMMON_FINDINGS])

    @cached_property
    def identity(self) -> dict[str, str]:
        """What `run.json` holds of a run."""
        return {
            "layout": str(_LAYOUT),
            "set": self.dataset.digest,
            "model": self.model.fingerprint,
            "protocol": self.protocol,
            "descriptions": self.style,
            "modality": self.modality or "",
        }
