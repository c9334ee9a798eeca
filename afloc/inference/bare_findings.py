"""The findings of the lists in one image, the score of each asked by its simple sentence: the one number of a
finding, whatever words it was asked in."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from afloc.inference.map_text import SentenceEncoder, encode_sentence, finding_vectors
from afloc.inference.native_protocol import native_map, score_logits, sentence_logits
from afloc.language.findings import FindingEntry, load_findings
from afloc.model.calibration import Calibration, OperatingPoint
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import TextVectors, text_vectors


@dataclass(frozen=True, eq=False)
class BareFinding:
    """One finding in one image. `excess`: how far its probability lies above the operating point, as
    logits."""

    entry: FindingEntry
    probability: float
    present: bool
    point: OperatingPoint
    excess: float


class BareFindings:
    """Those of one image, worked out when they are asked for, and kept."""

    def __init__(
        self,
        model: SentenceEncoder,
        features: ImageFeatures,
        modality: str,
        calibration: Calibration,
    ):
        self._model = model
        self._features = features
        self._entries = load_findings(modality)
        self._calibration = calibration
        self._found: dict[str, BareFinding] = {}

    def find(self, finding: str) -> BareFinding | None:
        """One of them by its id; None for what is no pathology, and without operating points."""
        if finding not in self._found:
            self.find_all([finding])
        return self._found.get(finding)

    @torch.inference_mode()
    def find_all(self, findings: Iterable[str]) -> list[BareFinding]:
        """Those of `findings` that can be judged, in their order."""
        entries = [self._entries[each] for each in findings]
        new = [
            (entry, point)
            for entry in entries
            if entry.id not in self._found and not entry.normal
            if (point := self._calibration.operating_point(entry.id, entry.family)) is not None
        ]
        tokens = [self._model.read_text(entry.simple)[0] for entry, _ in new]
        for (entry, point), features in zip(new, self._model.encode_alone(tokens), strict=True):
            self._found[entry.id] = self._judge(entry, point, text_vectors(features))
        return [self._found[entry.id] for entry in entries if entry.id in self._found]

    def map(self, found: BareFinding) -> np.ndarray:
        """Its map over the square that the encoder saw, without anatomy: textbooks know no side, and what
        they take away on both sides tells nothing of the one that is affected."""
        encode = partial(encode_sentence, self._model)
        text = finding_vectors(found.entry.id, found.entry.modality, self._calibration, encode)
        return native_map(self._features, text, self._calibration)

    def _judge(self, entry: FindingEntry, point: OperatingPoint, vectors: TextVectors) -> BareFinding:
        sentences = sentence_logits(self._features, vectors, self._calibration)
        logit = float(score_logits(self._features, vectors, sentences, self._calibration))
        probability, present = point.judge(logit)
        return BareFinding(entry, probability, present, point, point.excess(logit))
