"""The answers of the Ground truth tab, measured for its tables, its curves and its files alike."""

from dataclasses import asdict, dataclass

import numpy as np

from afloc.errors import DataError
from afloc.evaluation.agreement import Agreement
from afloc.evaluation.config import STYLES
from afloc.evaluation.datasets.ground_truth import GroundTruth
from afloc.evaluation.measure import without_nan
from afloc.evaluation.metrics import Curve
from afloc.evaluation.queries import describe as describe_truth
from afloc.inference.model import Model
from afloc.inference.view import View
from afloc.web.messages import LONGEST_DESCRIPTION, GroundTruthEntry, MeasureRequest
from afloc.web.routes.ground_truth_json import draw, draw_marks
from afloc.web.routes.responses import describe
from afloc.web.state.fair_queue import FairQueue
from afloc.web.state.open_images import OpenImage

MOST_TRUTHS = 40  # findings of an image
MOST_READERS = 20  # human readers of a finding


@dataclass(frozen=True)
class Case:
    """A finding that is marked: its two descriptions, and the answers to the first or to both. An answer is
    None where nothing is asked."""

    label: str
    descriptions: tuple[str, ...]
    answers: tuple[Agreement | None, ...]

    def to_json(self) -> dict:
        answers = [None if answer is None else _to_json(answer) for answer in self.answers]
        return {"descriptions": list(self.descriptions), "answers": answers}


def hold_against(
    request: MeasureRequest, opened: OpenImage, model: Model, queue: FairQueue
) -> tuple[View, list[Case]]:
    """The image as the model sees it, and a case for each finding of the request."""
    if len(request.truths) > MOST_TRUTHS:
        raise DataError(f"Please give at most {MOST_TRUTHS} findings of an image.")
    with queue.turn(request.image):
        view = opened.view(model, request.modality)
    return view, [_ask(view, entry, request, queue) for entry in request.truths]


def _ask(view: View, entry: GroundTruthEntry, request: MeasureRequest, queue: FairQueue) -> Case:
    size = view.image.height, view.image.width
    if len(entry.readers) > MOST_READERS:
        raise DataError(f"Please give at most {MOST_READERS} readers of a finding.")
    label, mask = draw(entry, *size)
    readers = tuple(draw_marks(each, label, *size, "What the reader marked") for each in entry.readers)
    truth = GroundTruth(label, description=entry.phrase)
    given = entry.descriptions or [None] * len(STYLES)
    descriptions = tuple(
        describe_truth(truth, view.modality, style) if text is None else text[:LONGEST_DESCRIPTION]
        for style, text in zip(STYLES, given, strict=True)
    )

    def answer(style: str, text: str) -> Agreement | None:
        if not text.strip():
            return None
        with queue.turn(request.image):
            finding = view.locate(text)
        return Agreement(label, style, finding, mask, readers)

    asked = list(zip(STYLES, descriptions, strict=True))[: 2 if request.compare else 1]
    return Case(label, descriptions, tuple(answer(*each) for each in asked))


def _to_json(answer: Agreement) -> dict:
    """The finding as the Probe tab has it, its agreement as published, both curves, and the readers."""
    heatmap, known = answer.finding.heatmap, bool(answer.truth.any())
    return {
        "finding": describe(answer.finding),
        "range": [float(heatmap.min()), float(heatmap.max())],
        "agreement": without_nan(asdict(answer.metrics)),
        "readers": answer.against_readers and vars(answer.against_readers),
        **{name: _curve(curve, known) for name, curve in answer.curves.items()},
    }


def _curve(curve: Curve, known: bool) -> dict:
    """IoU and Dice (null without ground truth) and the area above each threshold."""

    def numbers(values: np.ndarray) -> list[float]:
        return values.round(6).tolist()

    return {
        "iou": numbers(curve.iou) if known else None,
        "dice": numbers(curve.dice) if known else None,
        "area": numbers(curve.area),
    }
