"""The Probe tab: one image, any description, where the model sees it and how sure it is.

The page's script sends an image once (`routes/images`), then one small request per description (`locate`),
outside gradio's queue. It has one request under way at a time, and the pages take turns before the model.
"""

import numpy as np

from afloc.feedback.store.store import Store
from afloc.inference.finding import Finding
from afloc.inference.model import Model
from afloc.inference.view import View
from afloc.inference.word_maps import Word
from afloc.language.findings import load_findings
from afloc.language.modalities import MODALITIES
from afloc.pacs.extra import has_extra
from afloc.web.messages import MOST_CHECKED, CheckRequest, LocateRequest, ScanRequest
from afloc.web.metrics import METRICS
from afloc.web.routes.feedback import feedback_functions
from afloc.web.routes.pacs import AuditedPacs
from afloc.web.routes.responses import GONE, answering, describe
from afloc.web.state.fair_queue import FairQueue, Superseded
from afloc.web.state.open_images import OpenImages
from afloc.web.tabs.html import show_viewer
from afloc.web.tabs.suggestions import offer_descriptions, offer_examples

MOST_WORDS = 40  # that get a map of their own
SCANNED_AT_ONCE = 8  # descriptions, before others have their turn
CHECKED_AT_ONCE = 8


def probe_tab(
    model: Model,
    open_images: OpenImages,
    queue: FairQueue,
    store: Store,
    pacs: AuditedPacs | None = None,
    upload_mb: int = 128,
) -> None:
    """Build the tab inside the current `gr.Blocks`. `upload_mb`: the most that an image file may have."""

    @answering(LocateRequest)
    def locate(request: LocateRequest) -> dict:
        """{"modality", "orientation", "doubt", "finding", …}.

        `finding` is null for an empty description; beside it `words`, each with its own map, `remarks` on
        them, `question`, whether the text asks and names no finding, and `unknown`, its words that nobody
        knows. `doubt`: {"degree", "sentence"}, why the model may not know such images, or null. {"gone":
        true}: send the image again. {"overtaken": true}: a newer live request of the same image came before
        this one's turn.
        """
        opened = open_images.get(request.image)
        if opened is None:
            return GONE
        try:
            with queue.turn(request.image, live=request.live):
                view = opened.view(model, request.modality)
                about = {"modality": view.modality, "orientation": vars(view.orientation)}
                answer = about | {"doubt": view.doubt and view.doubt.as_json(), "finding": None}
                if not request.description.strip():
                    return answer
                finding = view.locate(request.description)
                words = view.words(finding)
        except Superseded:
            return {"overtaken": True}
        return answer | {
            "finding": describe(finding),
            "words": [_describe_word(word) for word in words[:MOST_WORDS]],
            "remarks": view.remarks(finding, words),
            "question": finding.query is not None and finding.query.reading.question,
            "unknown": list(finding.query.reading.unknown_words) if finding.query else [],
        }

    @answering(ScanRequest)
    def scan(request: ScanRequest) -> dict:
        """{"modality", "doubt", "findings"}, `doubt` as in `locate`.

        Every pathology of the modality with its id, name, family and parents, and with a map only where it is
        flagged.
        """
        opened = open_images.get(request.image)
        if opened is None:
            return GONE
        with queue.turn(request.image):
            view = opened.view(model, request.modality)
            doubt = view.doubt and view.doubt.as_json()
        entries = [entry for entry in load_findings(view.modality).values() if not entry.normal]
        findings = []
        for start in range(0, len(entries), SCANNED_AT_ONCE):
            scanned = entries[start : start + SCANNED_AT_ONCE]
            with queue.turn(request.image):
                found = view.locate_all(entry.simple for entry in scanned)
            for entry, finding in zip(scanned, found, strict=True):
                described = describe(finding) | {
                    "id": entry.id,
                    "name": entry.name,
                    "family": entry.family,
                    "parents": entry.parents,
                }
                findings.append(described if finding.present else described | {"grid": None})
        return {"modality": view.modality, "doubt": doubt, "findings": findings}

    @answering(CheckRequest)
    def check(request: CheckRequest) -> dict:
        """{"modality", "orientation", "doubt", "findings"}, as in `locate`: a finding for each description,
        without its map, its remarks among its cautions."""
        opened = open_images.get(request.image)
        if opened is None:
            return GONE
        found: list[dict] = []
        for start in range(0, len(request.descriptions), CHECKED_AT_ONCE):
            asked = request.descriptions[start : start + CHECKED_AT_ONCE]
            with queue.turn(request.image):
                view = opened.view(model, request.modality)
                found += [_describe_check(view, finding) for finding in view.locate_all(asked)]
        return {
            "modality": view.modality,
            "orientation": vars(view.orientation),
            "doubt": view.doubt and view.doubt.as_json(),
            "findings": found,
        }

    show_viewer(
        "probe",
        [locate, scan, check, *feedback_functions(model, open_images, queue, store)],
        model=f"{model.name} {model.config.version}",
        fingerprint=model.fingerprint,
        calibrated=model.config.calibration is not None,
        own_sentences=any(each.precise_weight for each in (model.config.calibration or {}).values()),
        trained_on=[MODALITIES[each].title for each in model.modalities],
        most_checked=MOST_CHECKED,
        upload_mb=upload_mb,
        pacs={"search": pacs is not None, "send": bool(pacs and pacs.may_send), "dicom": has_extra()},
        modalities={each.id: each.title for each in MODALITIES.values()},
        descriptions=offer_descriptions(),
        examples=offer_examples(model),
    )


def _describe_check(view: View, finding: Finding) -> dict:
    METRICS.count("located")
    answer = finding.as_json()
    if finding.asked and finding.asked.status == "unknown":  # which says of itself what is wrong
        return answer
    remarks = view.remarks(finding, view.words(finding))
    return answer | {"cautions": list(dict.fromkeys([*answer["cautions"], *remarks]))}


def _describe_word(word: Word) -> dict:
    """The map as hexadecimal text, two digits a cell, row by row: 00 is 0 and ff is 1. It may have fewer
    cells than the finding's."""
    levels = np.rint(255 * word.grid).astype(np.uint8)
    return {
        "text": word.text,
        "known": word.known,
        "pull": round(word.pull, 3),
        "grid": levels.tobytes().hex(),
        "columns": levels.shape[1],
    }
