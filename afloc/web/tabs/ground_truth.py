"""The Ground truth tab: a map beside what a person marked, and how well the two agree at every threshold.

The page asks for the whole curve once (`measure`) and looks its slider's step up in it, so the figures move
with the slider and are those of `python -m afloc evaluate`, to the last digit that is shown.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict

import numpy as np

from afloc.errors import DataError
from afloc.evaluation.config import STYLES
from afloc.evaluation.datasets.ground_truth import GroundTruth, picture_size
from afloc.evaluation.datasets.rows import by_label
from afloc.evaluation.measure import measure as measure_agreement
from afloc.evaluation.measure import without_nan
from afloc.evaluation.metrics import PAPER_THRESHOLDS, curve
from afloc.evaluation.queries import describe as describe_truth
from afloc.imaging.examples import EXAMPLES, Example, load_example
from afloc.imaging.heatmap import min_max
from afloc.imaging.regions import Box
from afloc.inference.finding import Finding
from afloc.inference.model import Model
from afloc.inference.view import View
from afloc.language.modalities import MODALITIES
from afloc.web.messages import (
    LONGEST_DESCRIPTION,
    GroundTruthEntry,
    MeasureRequest,
    ReadCaseRequest,
    ReadTruthRequest,
    SetStateRequest,
)
from afloc.web.routes.ground_truth_json import draw, read_file, to_json
from afloc.web.routes.responses import GONE, answering, describe
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.fair_queue import FairQueue
from afloc.web.state.open_images import OpenImages
from afloc.web.tabs.html import show_viewer
from afloc.web.tabs.suggestions import offer_examples

STRETCHED = tuple(round(0.01 * step - 1, 2) for step in range(201))
"""Thresholds on the map after min-max to [-1, 1], the paper's five among them."""

FIXED = tuple(round(0.01 * step, 2) for step in range(101))
"""Thresholds on the fixed scale."""

MOST_TRUTHS = 40  # findings of an image


def ground_truth_tab(model: Model, open_images: OpenImages, queue: FairQueue, sets: Sets) -> None:
    """Build the tab inside the current `gr.Blocks`."""

    @answering(ReadTruthRequest)
    def read_truth(request: ReadTruthRequest) -> dict:
        """{"truths": [truth, …]}."""
        opened = open_images.get(request.image)
        if opened is None:
            return GONE
        size = opened.image.height, opened.image.width
        truths = read_file(request.content, request.name or "", *size, request.image_name or None)
        if len(truths) > MOST_TRUTHS:
            raise DataError(f"The file marks {len(truths)} findings; please give at most {MOST_TRUTHS}.")
        return {"truths": _describe_truths(truths, *size)}

    @answering(MeasureRequest)
    def measure(request: MeasureRequest) -> dict:
        """{"modality", "orientation", "doubt", "cases"}.

        A case has both `descriptions` of a finding and `answers`: to the first, or with `compare` to each.
        """
        opened = open_images.get(request.image)
        if opened is None:
            return GONE
        if len(request.truths) > MOST_TRUTHS:
            raise DataError(f"Please give at most {MOST_TRUTHS} findings of an image.")
        with queue.turn(request.image):
            view = opened.view(model, request.modality)
            doubt = view.doubt and view.doubt.as_json()

        def locate(description: str) -> Finding:
            with queue.turn(request.image):
                return view.locate(description)

        cases = [_measure_truth(view, locate, entry, request.compare) for entry in request.truths]
        about = {"modality": view.modality, "orientation": vars(view.orientation)}
        return about | {"doubt": doubt, "cases": cases}

    @answering(ReadCaseRequest)
    def read_case(request: ReadCaseRequest) -> dict:
        """{"modality" or null, "truths": [truth, …]}, those of an image of a set."""
        row = sets.row(request.set, request.row)
        return {"modality": row.modality, "truths": _describe_truths(row.truths, *picture_size(row.path))}

    @answering(SetStateRequest)
    def set_state(request: SetStateRequest) -> dict:
        """What `Sets.state` says."""
        if request.run:
            sets.start(request.set, request.style)
        return sets.state(request.set, request.style)

    show_viewer(
        "ground_truth",
        [read_truth, measure, read_case, set_state],
        model=f"{model.name} {model.config.version}",
        fingerprint=model.fingerprint,
        modalities={each.id: each.title for each in MODALITIES.values()},
        examples=offer_examples(model),
        first=EXAMPLES[0].name,  # drawn, so that its ground truth is exact
        truths={each.name: _truths_of(each) for each in EXAMPLES},
        stretched=STRETCHED,
        fixed=FIXED,
        paper=PAPER_THRESHOLDS,
        sets=sets.names(),
    )


def _describe_truths(truths: Iterable[GroundTruth], height: int, width: int) -> list[dict]:
    return [to_json(truth, height, width) | {"phrase": truth.description} for truth in truths]


def _truths_of(example: Example) -> list[dict]:
    if not example.boxes:
        return []
    image = load_example(example.name)
    return _describe_truths(
        by_label((label, Box(*box)) for label, *box in example.boxes), image.height, image.width
    )


def _measure_truth(
    view: View, locate: Callable[[str], Finding], entry: GroundTruthEntry, compare: bool
) -> dict:
    label, mask = draw(entry, view.image.height, view.image.width)
    truth = GroundTruth(label, description=entry.phrase)
    given = entry.descriptions or [None] * len(STYLES)
    descriptions = [
        describe_truth(truth, view.modality, style) if text is None else text[:LONGEST_DESCRIPTION]
        for style, text in zip(STYLES, given, strict=True)
    ]
    measured = descriptions if compare else descriptions[:1]
    answers = [_hold_against(locate(text), mask) if text.strip() else None for text in measured]
    return {"descriptions": descriptions, "answers": answers}


def _hold_against(finding: Finding, mask: np.ndarray) -> dict:
    """The finding as the Probe tab has it, its agreement as published, and both curves."""
    heatmap = finding.heatmap
    return {
        "finding": describe(finding),
        "range": [float(heatmap.min()), float(heatmap.max())],
        "agreement": without_nan(asdict(measure_agreement(heatmap, mask))),
        "stretched": _curve(min_max(heatmap), mask, STRETCHED),
        "fixed": _curve(heatmap, mask, FIXED),
    }


def _curve(heatmap: np.ndarray, mask: np.ndarray, thresholds: tuple[float, ...]) -> dict:
    """IoU and Dice (null without ground truth) and the area above each threshold."""
    at = curve(heatmap, mask, thresholds)
    known = bool(mask.any())
    return {
        "iou": at.iou.round(6).tolist() if known else None,
        "dice": at.dice.round(6).tolist() if known else None,
        "area": at.area.round(6).tolist(),
    }
