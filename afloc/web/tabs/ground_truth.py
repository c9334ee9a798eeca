"""The Ground truth tab: a map beside what a person marked, and how well the two agree at every threshold.

The page asks for the whole curve once (`measure`) and looks its slider's step up in it, so the figures move
with the slider and are those of `python -m afloc evaluate`, to the last digit that is shown.
"""

from collections.abc import Iterable

from afloc.errors import DataError
from afloc.evaluation.agreement import SCALES
from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.datasets.ground_truth import GroundTruth, picture_size
from afloc.evaluation.datasets.rows import by_label
from afloc.evaluation.metrics import PAPER_THRESHOLDS
from afloc.evaluation.queries import describe as describe_truth
from afloc.imaging.examples import EXAMPLES, Example, load_example
from afloc.imaging.regions import Box
from afloc.inference.model import Model
from afloc.language.findings import load_findings
from afloc.language.modalities import MODALITIES
from afloc.web.messages import MeasureRequest, ReadCaseRequest, ReadTruthRequest, SetStateRequest
from afloc.web.routes.agreements import MOST_TRUTHS, hold_against
from afloc.web.routes.ground_truth_json import read_file, to_json
from afloc.web.routes.responses import GONE, answering
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.fair_queue import FairQueue
from afloc.web.state.open_images import OpenImages
from afloc.web.tabs.html import show_viewer
from afloc.web.tabs.suggestions import offer_examples


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
        view, cases = hold_against(request, opened, model, queue)
        with queue.turn(request.image):
            doubt = view.doubt and view.doubt.as_json()
        about = {"modality": view.modality, "orientation": vars(view.orientation)}
        return about | {"doubt": doubt, "cases": [case.to_json() for case in cases]}

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
        first=_first_example(model).name,
        truths={each.name: _truths_of(each) for each in EXAMPLES},
        stretched=SCALES["stretched"],
        fixed=SCALES["fixed"],
        measures=_measures(),
        names=[entry.name for modality in MODALITIES for entry in load_findings(modality).values()],
        paper=PAPER_THRESHOLDS,
        sets=sets.names(),
    )


def _first_example(model: Model) -> Example:
    """The first example with a finding that has ground truth and is flagged; else the first one, which is
    drawn, so that its ground truth is exact."""
    for example in EXAMPLES:
        if example.boxes and example.modality in model.modalities:
            view = model.encode(example.load(), modality=example.modality)
            label = example.boxes[0][0]
            if view.locate(describe_truth(GroundTruth(label), example.modality)).present:
                return example
    return EXAMPLES[0]


def _measures() -> dict[str, dict]:
    """What the tables call every measure, by its key."""
    return {
        key: {
            "name": each.heading,
            "digits": each.digits,
            "unit": each.unit,
            "about": f"{each.name}, {each.scale}. {each.meaning}",
        }
        for key, each in MEASURES.items()
    }


def _describe_truths(truths: Iterable[GroundTruth], height: int, width: int) -> list[dict]:
    return [to_json(truth, height, width) | {"phrase": truth.description} for truth in truths]


def _truths_of(example: Example) -> list[dict]:
    if not example.boxes:
        return []
    image = load_example(example.name)
    return _describe_truths(
        by_label((label, Box(*box)) for label, *box in example.boxes), image.height, image.width
    )
