"""The calibration split, encoded: what the fits of verdicts ask of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import image_size
from afloc.inference.appearance import texture_vectors
from afloc.inference.map_text import finding_vectors
from afloc.inference.native_protocol import native_map, score_logits, sentence_logits
from afloc.language.findings import load_findings
from afloc.language.statements import AFFIRMED, Statement
from afloc.model.calibration import Calibration
from afloc.model.image_encoder import ImageFeatures
from afloc.training.data.facts import Description, entails
from afloc.training.data.pairs import Pair
from afloc.training.fit.healthy import findings_against, is_healthy
from afloc.training.fit.inputs import FitInputs


class CalibrationSplit:
    """The rows whose patients were not trained on.

    `features`: of their images, in chunks, of the shallow maps their means only. `pairs`, `sources`: of the
    rows.
    """

    def __init__(self, inputs: FitInputs):
        self.inputs = inputs
        self.rows = inputs.calibration_rows
        self.pairs: list[Pair] = [inputs.pairs[row] for row in self.rows]
        self.sources = np.array([pair.source for pair in self.pairs])

    @cached_property
    def features(self) -> list[ImageFeatures]:
        self.inputs.encoder.eval()
        with torch.inference_mode():
            encoded = self.inputs.encode(self.rows)
            return [replace(each, shallow=each.shallow.mean((2, 3), keepdim=True)) for each in encoded]

    @property
    def textures(self) -> np.ndarray:
        """The mean of the shallow features of each image: (images, D)."""
        return np.concatenate([texture_vectors(each) for each in self.features])

    @torch.inference_mode()
    def logits(self, texts: list[str], calibration: Calibration) -> np.ndarray:
        """The score logits of texts, each of which affirms a finding: float64 (rows, texts)."""
        vectors = self.inputs.vectors(texts)

        def score(seen: ImageFeatures) -> torch.Tensor:
            sentences = sentence_logits(seen, vectors, calibration) if calibration.sentence_weight else None
            return score_logits(seen, vectors, sentences, calibration)

        return torch.cat([score(each) for each in self.features]).double().numpy()

    def targets(self, findings: Iterable[str]) -> np.ndarray:
        """Whether the images have the findings: 1, 0 or, where that is unknown, NaN; (rows, findings)."""
        asked = [Description("", (Statement(finding, AFFIRMED),)) for finding in findings]
        return np.array([[entails(pair.facts, each) for each in asked] for pair in self.pairs])

    def widest_targets(self, findings: Sequence[str]) -> np.ndarray:
        """As `targets`; and what is called normal has none of the pathologies, whichever its source names."""
        known = self.targets(findings)
        healthy = np.array([is_healthy(pair) for pair in self.pairs])
        against = findings_against(self.inputs.modality)
        pathology = np.array([finding in against for finding in findings])
        return np.where(np.isnan(known) & healthy[:, None] & pathology, 0.0, known)

    def bare_logits(self, findings: Iterable[str], calibration: Calibration) -> np.ndarray:
        """The score logits of findings, each asked by its simple sentence as in an answer."""
        entries = load_findings(self.inputs.modality)
        return self.logits([entries[finding].simple for finding in findings], calibration)

    def one_sided(self, finding: str) -> Iterator[tuple[int, str]]:
        """The rows whose report sees the finding on one side of the patient, and which side that is."""
        for index, pair in enumerate(self.pairs):
            fact = pair.facts.get(finding)
            if fact is not None and fact.present == 1:
                sides = fact.sides & {"left", "right"}
                if len(sides) == 1:
                    yield index, next(iter(sides))

    @torch.inference_mode()
    def map(self, index: int, finding: str, calibration: Calibration) -> np.ndarray:
        """The map of a finding over one image as its side is read from it, without anatomy: float32 (rows,
        columns)."""
        inputs, pair = self.inputs, self.pairs[index]
        (image,) = inputs.encode(self.rows[[index]])
        text = finding_vectors(finding, inputs.modality, calibration, inputs.vector)
        square = native_map(image, text, calibration)
        return Letterbox.fit(*image_size(pair.image), inputs.size).crop(square)
