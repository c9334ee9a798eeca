"""One image, many questions."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import Image
from afloc.inference import paper_protocol as paper
from afloc.inference.appearance import features_fit, picture_fits
from afloc.inference.finding import Finding
from afloc.inference.native_protocol import judge_presence, native_map, operating_point, score_logits
from afloc.inference.picture import Picture
from afloc.inference.word_maps import Word, weigh_words
from afloc.language.descriptions import affirmed_part, affirms
from afloc.language.findings import find_subject, load_findings, sentence_for_label
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import TextVectors, text_vectors
from afloc.model.text_encoder import TextFeatures
from afloc.text import clean_text, normalise_text

if TYPE_CHECKING:
    from afloc.inference.model import Model


class View:
    """An image as the model sees it, ready for questions. Made by `Model.encode`."""

    def __init__(
        self,
        model: "Model",
        image: Image,
        modality: str,
        protocol: str,
        features: ImageFeatures,
        picture: Picture,
    ):
        self.image = image
        self.modality = modality
        self.protocol = protocol
        self._model = model
        self._features = features
        self._picture = picture  # kept for `doubt`

    def locate(self, description: str) -> Finding:
        """Score and map of one description; DescriptionError where it holds no word."""
        return self.locate_all([description])[0]

    def locate_all(self, descriptions: Iterable[str]) -> list[Finding]:
        """Score and map of each description, in their order; their texts are encoded together."""
        descriptions = list(descriptions)
        answer = self._answer_paper if self.protocol == "paper" else self._answer_native
        findings = []
        for text, (finding, warning) in zip(descriptions, answer(descriptions), strict=True):
            warning = " ".join(filter(None, (warning, self._place_warning(text), self._model.notice))) or None
            findings.append(replace(finding, warning=warning))
        return findings

    @property
    def embedding(self) -> np.ndarray:
        """The image as one vector of length 1, float32 (D,), in the space of the descriptions."""
        return functional.normalize(self._features.global_[0].float(), dim=0).cpu().numpy()

    @cached_property
    def doubt(self) -> str | None:
        """Why the model may not know images like this, one sentence; None where nothing speaks for it."""
        known = self._model.calibration(self.modality).training_distribution
        vector = self._features.global_[0].cpu().numpy()
        fits = picture_fits(self._picture, self.modality)
        self._picture.forget_shown()
        if fits and features_fit(vector, known):
            return None
        kind = self.modality.replace("_", " ")
        return f"This does not look like the {kind} images the model knows, so its answers may mean nothing."

    @torch.inference_mode()
    def words(self, finding: Finding) -> list[Word]:
        """What each word of a finding's description has for a map of its own; none under protocol `paper`."""
        if self.protocol == "paper":
            return []
        model = self._model
        tokens, _ = model.read_text(finding.text)
        (features,) = model.encode_texts([tokens])
        letterbox = self._letterbox()
        pieces = model.tokenizer.split(normalise_text(finding.text))
        level = model.calibration(self.modality).levels.word
        return weigh_words(pieces, self._features, features, level, letterbox, finding.grid)

    def classify(self, findings: Iterable[str] | None = None) -> list[Finding]:
        """Ask for each of `findings` (names or labels of the findings list, or descriptions).

        Without them, for every pathology of the image's modality, in the order of the list. `Finding.text`
        is the sentence asked.
        """
        if findings is None:
            return self.locate_all(e.simple for e in load_findings(self.modality).values() if not e.normal)
        return self.locate_all(sentence_for_label(name, self.modality) for name in findings)

    @torch.inference_mode()
    def _answer_native(self, descriptions: list[str]) -> list[tuple[Finding, str | None]]:
        """A finding for each description, and what its text leaves unread."""
        descriptions = [clean_text(text) for text in descriptions]
        parts = [affirmed_part(text, self.modality) for text in descriptions]  # what has a place on the map
        read = [self._model.read_text(text) for text in descriptions]
        placed = [
            tokens if part == text else self._model.read_text(part)[0]
            for text, part, (tokens, _) in zip(descriptions, parts, read, strict=True)
        ]
        texts = list(dict.fromkeys([*(tokens for tokens, _ in read), *placed]))
        vectors = dict(zip(texts, map(text_vectors, self._model.encode_texts(texts)), strict=True))
        return [
            (self._native_finding(text, vectors[tokens], vectors[place], affirms(part)), warning)
            for text, part, (tokens, warning), place in zip(descriptions, parts, read, placed, strict=True)
        ]

    def _native_finding(self, text: str, whole: TextVectors, place: TextVectors, affirmed: bool) -> Finding:
        calibration = self._model.calibration(self.modality)
        height, width = self.image.height, self.image.width
        letterbox = self._letterbox()
        square = native_map(self._features, place, calibration)
        logit = score_logits(self._features, whole, place if affirmed else None, calibration)
        score = float(logit.sigmoid())
        point = operating_point(text, self.modality, calibration)
        probability, present = judge_presence(score, point)
        threshold = point and point.threshold
        return Finding(text, score, probability, present, letterbox.crop(square), height, width, threshold)

    def _letterbox(self) -> Letterbox:
        image = self.image
        return Letterbox.fit(image.height, image.width, self._model.side(self.modality), image.aspect)

    @torch.inference_mode()
    def _answer_paper(self, descriptions: list[str]) -> list[tuple[Finding, str | None]]:
        """The same, by the rules of the released code."""
        read = [self._model.read_paper_text(text) for text in descriptions]
        features = self._model.encode_texts([tokens for tokens, _ in read])
        return [
            (self._paper_finding(clean_text(text), each), warning)
            for text, each, (_, warning) in zip(descriptions, features, read, strict=True)
        ]

    def _paper_finding(self, text: str, features: TextFeatures) -> Finding:
        letterbox = Letterbox.paper(self.image.height, self.image.width, paper.SIZE)
        report = features.report[0]
        heatmap = paper.similarity_map(self._features.deep[0], report)
        score = paper.cosine(self._features.global_[0], report)
        return Finding(text, score, None, None, heatmap, paper.SIZE, paper.SIZE, letterbox=letterbox)

    def _place_warning(self, text: str) -> str | None:
        if self.modality not in self._model.modalities:
            return f"This model was not trained on {self.modality.replace('_', ' ')} images."
        entry = find_subject(text, self.modality)
        if entry and entry.id in self._model.calibration(self.modality).unreliable_maps:
            left = "" if entry.family == "structure" else ": read the verdict only"
            return f"This model's maps of {entry.name} do not find the place{left}."
        return None
