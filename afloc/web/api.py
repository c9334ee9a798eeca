"""Named endpoints for `gradio_client`: the same answers as the command line's."""

from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder, is_in_or_equal

from afloc.errors import ImageError
from afloc.feedback.store import Store
from afloc.images import Image, read_image
from afloc.locate import Model
from afloc.web.answers import describe, explain
from afloc.web.feedback import save_feedback, show_saved


def read_upload(image: dict) -> Image:
    """The image of an uploaded file. Only what was uploaded is opened, whatever path a client names."""
    path = image.get("path") if isinstance(image, dict) else None
    if not (isinstance(path, str) and is_in_or_equal(path, get_upload_folder()) and Path(path).is_file()):
        raise ImageError("Please send the image as a file, with gradio_client's handle_file.")
    return read_image(Path(path).read_bytes())


def add_endpoints(model: Model, store: Store) -> None:
    """Add /locate, /classify and /feedback to the current `gr.Blocks`."""

    def locate(image: gr.FileData, description: str) -> dict:
        """Where the model sees the described finding: its score, its regions and the map as `grid`."""
        try:
            finding = model.encode(read_upload(image)).locate(description)
            return describe(finding) | {"regions": [vars(region) for region in finding.regions()]}
        except Exception as error:
            raise gr.Error(explain(error), print_exception=False) from None

    def classify(image: gr.FileData) -> list:
        """Every finding of the image's modality, with score, probability and verdict."""
        try:
            found = model.encode(read_upload(image)).classify()
        except Exception as error:
            raise gr.Error(explain(error), print_exception=False) from None
        verdict = ("text", "score", "probability", "present")
        return [{key: getattr(each, key) for key in verdict} for each in found]

    def feedback(
        image: gr.FileData,
        description: str,
        agreement: str,
        confidence: int | None = None,
        comment: str = "",
        regions: list | None = None,
        id: str | None = None,
    ) -> dict:
        """Save whether the model's answer is right: yes, partly, elsewhere or absent; returns the row's id.

        `confidence` goes from 1 (guessing) to 5 (certain); `regions` is a list of
        {"box": [x, y, width, height]} or {"outline": [[x, y], …]} in pixels of the image. With an `id` (a
        UUID) of your own, what is sent again after a failure is kept once.
        Nothing of the image is kept but a hash of its pixels.
        """
        said = {"description": description, "agreement": agreement, "confidence": confidence}
        said |= {"comment": comment, "regions": regions, "id": id}
        try:
            view = model.encode(read_upload(image))
            return show_saved(save_feedback(store, model, view, said))
        except Exception as error:
            raise gr.Error(explain(error), print_exception=False) from None

    gr.api(locate, api_name="locate", concurrency_id="model")
    gr.api(classify, api_name="classify", concurrency_id="model")
    gr.api(feedback, api_name="feedback", concurrency_id="model")
