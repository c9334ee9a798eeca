"""Named endpoints for `gradio_client`: the same answers as the command line's."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from anyio import CapacityLimiter
from gradio.utils import is_in_or_equal

from afloc.errors import ImageError, SettingsError
from afloc.feedback.store.store import Store
from afloc.imaging.image import Image, read_image
from afloc.inference.model import PROTOCOLS, Model
from afloc.inference.zero_gpu import on_zero_gpu
from afloc.web.errors import explain
from afloc.web.messages import Judgement, parse, read_description
from afloc.web.routes.feedback import save_feedback, show_saved
from afloc.web.routes.responses import describe
from afloc.web.state.call_queue import CallQueue
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.fair_queue import MOST_WAITING, FairQueue

THREADS = MOST_WAITING + 100  # some are left for those who do not wait
CLIENTS = "clients of the named endpoints"  # their session in the queue before the model


class Page(gr.Blocks):
    """Blocks whose endpoints get what a client sent, as it was sent, and whose queue has bounds.

    Gradio would fetch whatever address stands in it, and print it where something is missing.
    """

    _queue: CallQueue

    @property
    def calls(self) -> CallQueue:
        return self._queue

    @property
    def endpoints(self) -> list[str]:
        """The names of what clients may call."""
        return [each.api_name for each in self.fns.values() if isinstance(each.api_name, str)]

    def queue(self) -> "Page":
        """Gradio's would also make an app, to which nobody ever comes."""
        most_waiting = 1 if on_zero_gpu() else None  # as gradio has it for a lent GPU
        self._queue = CallQueue(most_waiting, blocks=self, concurrency_count=self.max_threads)
        return self

    def create_limiter(self) -> None:
        """Threads of their own for the page's functions: who waits for the model holds up no route."""
        self.limiter = CapacityLimiter(THREADS)

    async def preprocess_data(self, block_fn, inputs, state, explicit_call=False) -> list:
        if len(inputs) != len(block_fn.inputs):
            wanted = f"{block_fn.name} takes {len(block_fn.inputs)} values, not {len(inputs)}."
            raise gr.Error(wanted, print_exception=False)
        return inputs


def read_upload(image: dict, folder: Path) -> Image:
    """The image of an uploaded file."""
    return read_image(read_bytes(image, folder))


def read_bytes(file: dict, folder: Path) -> bytes:
    """An uploaded file. Only what is in the upload folder is opened, whatever path a client names."""
    path = file.get("path") if isinstance(file, dict) else None
    if not (isinstance(path, str) and is_in_or_equal(path, folder) and Path(path).is_file()):
        raise ImageError("Please send it as a file, with gradio_client's handle_file.")
    return Path(path).read_bytes()


def refusing(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint with every error turned into gradio's, which brings one sentence to the client."""

    @functools.wraps(endpoint)
    def answer(*arguments: Any) -> Any:
        try:
            return endpoint(*arguments)
        except Exception as error:
            raise gr.Error(explain(error), print_exception=False) from None

    return answer


def add_endpoints(model: Model, queue: FairQueue, store: Store, uploads: Path, sets: Sets) -> None:
    """Add /locate, /classify, /feedback and /evaluate to the current `gr.Blocks`; `uploads`: where files
    arrive. Before the model, all clients together have the turns of one page."""

    @refusing
    def locate(image: gr.FileData, description: str) -> dict:
        """Where the model sees the described finding, and what holds of the description: the answer as in
        result.json, its regions and the map as `grid`; what the image is: `modality`, `orientation`, `doubt`
        ({"degree", "sentence"} or null); `remarks` on the words; `model` and `fingerprint`."""
        opened = read_upload(image, uploads)
        with queue.turn(CLIENTS):
            view = model.encode(opened)
            finding = view.locate(read_description(description))
            about = {
                "modality": view.modality,
                "orientation": view.orientation.as_json(),
                "doubt": view.doubt and view.doubt.as_json(),
                "remarks": view.remarks(finding, view.words(finding)),
                "model": model.name,
                "fingerprint": model.fingerprint,
            }
        return describe(finding) | {"regions": [vars(region) for region in finding.regions()]} | about

    @refusing
    def classify(image: gr.FileData) -> list:
        """Every finding of the image's modality, each as in result.json but without a map."""
        opened = read_upload(image, uploads)
        with queue.turn(CLIENTS):
            found = model.encode(opened).classify()
        return [each.as_json() for each in found]

    @refusing
    def feedback(
        image: gr.FileData,
        description: str,
        agreement: str,
        confidence: int | None = None,
        comment: str = "",
        regions: list | None = None,
        id: str | None = None,
        profile: gr.OAuthProfile | None = None,  # gradio's; no client sends it
    ) -> dict:
        """Save whether the model's answer is right: yes, partly, elsewhere or absent; returns the row's id.

        `confidence` goes from 1 (guessing) to 5 (certain); `regions` is a list of
        {"box": [x, y, width, height]} or {"outline": [[x, y], …]} in pixels of the image. With an `id` (a
        UUID) of your own, what is sent again after a failure is kept once.
        Nothing of the image is kept but a hash of its pixels.
        """
        opened = read_upload(image, uploads)
        sent = {"description": description, "agreement": agreement, "confidence": confidence}
        judgement = parse(Judgement, sent | {"comment": comment, "regions": regions, "id": id})
        with queue.turn(CLIENTS):
            view = model.encode(opened)
            finding = view.locate(judgement.description)
        return show_saved(save_feedback(store, model, view, finding, judgement, profile and profile.username))

    @refusing
    def evaluate(set: gr.FileData, descriptions: str = "simple", protocol: str = "native") -> dict:
        """The summary of a small set, as `python -m afloc evaluate` writes it.

        `set`: a ZIP file of a table (CSV or COCO JSON) and its images, or of a folder of images and masks;
        it is dropped when the answer is sent. `descriptions`: simple or precise. `protocol`: native or paper.
        """
        if protocol not in PROTOCOLS:
            raise SettingsError(f"The protocol must be one of {', '.join(PROTOCOLS)}, not {protocol!r}.")
        name = sets.uploads.add(read_bytes(set, uploads), "set.zip")
        try:
            return sets.summarise(name, descriptions, protocol)
        finally:
            sets.uploads.drop(name)

    gr.api(locate, api_name="locate", concurrency_id="model")
    gr.api(classify, api_name="classify", concurrency_id="model")
    gr.api(feedback, api_name="feedback", concurrency_id="model")
    gr.api(evaluate, api_name="evaluate", concurrency_id="sets")
