"""One image, many questions."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, partial
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from afloc.imaging.geometry import Letterbox
from afloc.imaging.image import Image
from afloc.inference import paper_protocol as paper
from afloc.inference.anatomy import Anatomy
from afloc.inference.answers import Answer, Judge
from afloc.inference.bare_findings import BareFindings
from afloc.inference.doubt import Doubt, doubt_of
from afloc.inference.finding import Finding, Query
from afloc.inference.map_text import SentenceEncoder, encode_sentence, with_precise
from afloc.inference.native_protocol import map_cells, native_map, score_logits, sentence_logits
from afloc.inference.orientation import ViewOrientation
from afloc.inference.picture import Picture
from afloc.inference.word_maps import Word, remarks, weigh_words
from afloc.language.findings import load_findings, sentence_for_label
from afloc.language.reading import read
from afloc.language.statements import Statement
from afloc.model.calibration import Calibration
from afloc.model.image_encoder import ImageFeatures
from afloc.model.similarity import TextVectors, text_vectors
from afloc.model.text_encoder import TextFeatures
from afloc.model.tokenizer import Tokens
from afloc.text import clean_text

ENOUGH_PIXELS = 0.75  # of the side that the model looks at; an image with fewer is blurred for it


class TextReader(SentenceEncoder, Protocol):
    """What a view asks its model while it answers; `afloc.inference.model.Model` says what each does."""

    modalities: tuple[str, ...]
    notice: str | None

    def calibration(self, modality: str) -> Calibration: ...
    def side(self, modality: str) -> int: ...
    def read_paper_text(self, description: str) -> tuple[Tokens, str | None]: ...
    def encode_texts(self, texts: Iterable[Tokens]) -> list[TextFeatures]: ...


class View:
    """An image as the model sees it, ready for questions. Made by `Model.encode`.

    `orientation`: how the patient lies in the image, as its file says or as is assumed. `mirrored`: the model
    saw it turned over; maps and regions are those of the image as read all the same.
    """

    def __init__(
        self,
        model: TextReader,
        image: Image,
        modality: str,
        protocol: str,
        features: ImageFeatures,
        picture: Picture,
        orientation: ViewOrientation,
        mirrored: bool,
    ):
        self.image = image
        self.modality = modality
        self.protocol = protocol
        self.orientation = orientation
        self.mirrored = mirrored
        self._model = model
        self._features = features
        self._picture = picture  # kept for `doubt`

    def locate(self, description: str) -> Finding:
        """Score and map of one description, and what holds of what it says; DescriptionError where it holds
        no word."""
        return self.locate_all([description])[0]

    def locate_all(self, descriptions: Iterable[str]) -> list[Finding]:
        """As `locate`, for each description, in their order; their texts are encoded together."""
        queries = [self._read(text) for text in descriptions]
        return self._answer_paper(queries) if self.protocol == "paper" else self._answer_native(queries)

    @property
    def embedding(self) -> np.ndarray:
        """The image as one vector of length 1, float32 (D,), in the space of the descriptions."""
        return functional.normalize(self._features.global_[0].float(), dim=0).cpu().numpy()

    @cached_property
    def doubt(self) -> Doubt | None:
        """Why the model may not know images like this; None where nothing speaks for it."""
        distribution = self._calibration.training_distribution
        lateral = self.orientation.view == "lateral"
        found = doubt_of(self._picture, self._features, self.modality, distribution, lateral=lateral)
        self._picture.forget_shown()
        return found

    @torch.inference_mode()
    def words(self, finding: Finding) -> list[Word]:
        """What each word of a finding's description has for a map of its own; none under protocol `paper`."""
        if self.protocol == "paper":
            return []
        assert finding.query is not None  # it is a finding of a view
        tokens = finding.query.tokens
        (features,) = self._model.encode_texts([tokens])
        level = self._calibration.levels.word
        words = weigh_words(
            tokens.spelling, self._features, features, level, self._letterbox(), self._turn(finding.grid)
        )
        return [replace(word, grid=self._turn(word.grid)) for word in words]

    def remarks(self, finding: Finding, words: Iterable[Word]) -> list[str]:
        """Sentences on what the model makes of a finding's description; `words`: those of `self.words`."""
        assert finding.query is not None  # it is a finding of a view
        return remarks(finding.query.reading, words)

    def classify(self, findings: Iterable[str] | None = None) -> list[Finding]:
        """Ask for each of `findings` (names or labels of the findings list, or descriptions).

        Without them, for every pathology of the image's modality, in the order of the list. `Finding.text`
        is the sentence asked.
        """
        if findings is None:
            return self.locate_all(e.simple for e in load_findings(self.modality).values() if not e.normal)
        return self.locate_all(sentence_for_label(name, self.modality) for name in findings)

    def _read(self, description: str) -> Query:
        reading = read(clean_text(description), self.modality, self._calibration.vocabulary)
        if self.protocol == "paper":
            tokens, warning = self._model.read_paper_text(description)
            return Query(reading, tokens, tokens, warning)
        tokens, warning = self._model.read_text(reading.text)
        affirmed = tokens if reading.affirmed == reading.text else self._model.read_text(reading.affirmed)[0]
        return Query(reading, tokens, affirmed, warning)

    @torch.inference_mode()
    def _answer_native(self, queries: list[Query]) -> list[Finding]:
        answers = [self._judge.answer(each.reading) for each in queries]
        texts = list(
            dict.fromkeys([*(each.tokens for each in queries), *(each.affirmed for each in queries)])
        )
        vectors = dict(zip(texts, map(text_vectors, self._model.encode_texts(texts)), strict=True))
        return [
            self._native_finding(query, answer, vectors[query.tokens], vectors[query.affirmed])
            for query, answer in zip(queries, answers, strict=True)
        ]

    def _native_finding(
        self, query: Query, answer: Answer, whole: TextVectors, affirmed: TextVectors
    ) -> Finding:
        calibration = self._calibration
        said, encode = query.reading.statements, partial(encode_sentence, self._model)
        asked = with_precise(affirmed, said, self.modality, calibration, encode)
        sentences = sentence_logits(self._features, affirmed, calibration)
        already = sentences if asked is affirmed else None
        square = native_map(self._features, asked, calibration, already, self._log_odds(said))
        found = sentences if query.reading.affirms else None
        return Finding(
            query.reading.text,
            float(score_logits(self._features, whole, found, calibration).sigmoid()),
            grid=self._turn(self._letterbox().crop(square)),
            height=self.image.height,
            width=self.image.width,
            suggestions=query.reading.suggestions,
            mirrored=self.mirrored,
            query=query,
            **vars(self._with_cautions(answer, query)),
        )

    @cached_property
    def _calibration(self) -> Calibration:
        return self._model.calibration(self.modality)

    @cached_property
    def _judge(self) -> Judge:
        """Judges nothing under protocol `paper`, nor where a doubt stops the answer."""
        stopped = self.protocol == "paper" or (self.doubt is not None and self.doubt.degree == "stopped")
        bare = BareFindings(self._model, self._features, self.modality, self._calibration)
        return Judge(self.modality, self._calibration, None if stopped else bare, self._letterbox().crop)

    @cached_property
    def _anatomy(self) -> Anatomy:
        """Of an image in doubt none."""
        return Anatomy(self._picture, self.modality, usual=self.doubt is None)

    def _log_odds(self, statements: Iterable[Statement]) -> np.ndarray | None:
        """What anatomy adds to a map of what is stated; None where the model gives it no weight."""
        if not self._calibration.anatomy_weight:
            return None
        return self._anatomy.log_odds(
            statements, self._letterbox(), map_cells(self._features, self._calibration)
        )

    def _with_cautions(self, answer: Answer, query: Query) -> Answer:
        """The answer with what is to be said of the text, the model and the image."""
        said = [query.warning]
        if self.modality not in self._model.modalities:
            said.append(f"This model was not trained on {self.modality.replace('_', ' ')} images.")
        said += answer.cautions
        if self.protocol != "paper":
            said.append(self.doubt.sentence if self.doubt else self._too_few_pixels())
        said.append(self._model.notice)
        return replace(answer, cautions=tuple(filter(None, said)))

    def _turn(self, grid: np.ndarray) -> np.ndarray:
        """A map of what the model saw as one of the image as read, or the other way round."""
        return grid[:, ::-1] if self.mirrored else grid

    def _too_few_pixels(self) -> str:
        """A caution where the image has clearly fewer pixels than the model looks at, else ""."""
        image, side = self.image, self._model.side(self.modality)
        if max(image.width, image.height) >= ENOUGH_PIXELS * side:
            return ""
        return (
            f"This image has {image.width} x {image.height} pixels, and the model looks at {side} x {side}: "
            "small findings are lost in it, and blur may pass for disease."
        )

    def _letterbox(self) -> Letterbox:
        image = self.image
        return Letterbox.fit(image.height, image.width, self._model.side(self.modality), image.aspect)

    @torch.inference_mode()
    def _answer_paper(self, queries: list[Query]) -> list[Finding]:
        """The same, by the rules of the released code; nothing is judged."""
        features = self._model.encode_texts([each.tokens for each in queries])
        return [self._paper_finding(query, each) for query, each in zip(queries, features, strict=True)]

    def _paper_finding(self, query: Query, features: TextFeatures) -> Finding:
        report = features.report[0]
        return Finding(
            query.reading.text,
            paper.cosine(self._features.global_[0], report),
            grid=paper.similarity_map(self._features.deep[0], report),
            height=paper.SIZE,
            width=paper.SIZE,
            letterbox=Letterbox.paper(self.image.height, self.image.width, paper.SIZE),
            suggestions=query.reading.suggestions,
            query=query,
            **vars(self._with_cautions(self._judge.answer(query.reading), query)),
        )
