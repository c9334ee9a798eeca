"""The Probe tab: one image, any description, where the model sees it and how sure it is.

The page's script sends an image once (`uploads`), then one small call per description (`locate`), outside
gradio's queue. It has one call under way at a time, so the calls of one page never crowd out another's.
"""

from afloc.errors import DescriptionError
from afloc.locate import Model
from afloc.web.answers import answering, describe
from afloc.web.offers import MODALITIES, offer_descriptions, offer_examples
from afloc.web.store import ImageStore
from afloc.web.viewer import show_viewer

LONGEST_DESCRIPTION = 4000  # characters, the text field's limit too
GONE = "The server no longer holds this image; please open it again."


def probe_tab(model: Model, store: ImageStore) -> None:
    """Build the tab inside the current `gr.Blocks`."""

    @answering
    def locate(question: dict) -> dict:
        """{"image": token, "description", "modality" or null} to {"modality", "finding"}.

        `finding` is null for an empty description; {"gone": true} says that the image has to be sent again.
        """
        description = str(question.get("description", ""))
        if len(description) > LONGEST_DESCRIPTION:
            raise DescriptionError(f"Please describe it in at most {LONGEST_DESCRIPTION} characters.")
        opened = store.get(str(question.get("image")))
        if opened is None:
            return {"gone": True, "error": GONE}
        view = opened.view(model, question.get("modality"))
        finding = view.locate(description) if description.strip() else None
        return {"modality": view.modality, "finding": finding and describe(finding)}

    presence = (model.config.calibration or {}).get("presence", {})
    show_viewer(
        "probe",
        [locate],
        model=f"{model.name} {model.config.version}",
        fingerprint=model.fingerprint,
        operating_point=presence.get("threshold"),
        modalities=MODALITIES,
        descriptions=offer_descriptions(),
        examples=offer_examples(),
    )
