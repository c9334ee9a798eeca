"""The PACS: what it has, and results that go there or leave as DICOM files.

POST /afloc/pacs/search   JSON `SearchRequest`; the studies that fit
POST /afloc/pacs/images   JSON `StudyRequest`; what may be pictures in it
POST /afloc/pacs/results  JSON `DicomRequest`, of an image from the PACS; stores a map and a report there
POST /afloc/dicom         the same on one line, then the DICOM file that the image was opened from (for one
                          from the PACS nothing); answers with a ZIP of the map and the report

An image itself is opened by POST /afloc/images?study=UID&series=UID&instance=UID, as a file is.
"""

import io
import json
import zipfile
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from afloc.errors import AccessError, ImageError
from afloc.imaging.image import read_image
from afloc.imaging.regions import Region, region_from_json
from afloc.inference.model import Model
from afloc.pacs.audit import Audit
from afloc.pacs.place import Place
from afloc.web.errors import MessageError, RefusedError, answering_errors
from afloc.web.messages import DicomRequest, SearchRequest, StudyRequest, parse
from afloc.web.paths import DICOM, PACS
from afloc.web.routes.responses import GONE, post_route, read_body
from afloc.web.security.oauth import user
from afloc.web.security.rate_limits import client
from afloc.web.state.fair_queue import FairQueue
from afloc.web.state.open_images import OpenImage, OpenImages

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from afloc.pacs.dicomweb import Pacs
    from afloc.pacs.source import Source

READING_ONLY = "This page may read from the PACS only: whoever runs it can set AFLOC_DICOMWEB_SEND."
NOT_FROM_PACS = "Only results on an image that was opened from the PACS can be sent back to it."
ANOTHER_FILE = "This is not the file that the image was opened from: open the image again."
NO_STORE = {"Cache-Control": "no-store"}
MOST_DRAWN = 200


class AuditedPacs:
    """A PACS, with a line in the audit for everything that is exchanged. `may_send`: results may go there."""

    def __init__(self, pacs: "Pacs", audit: Audit, may_send: bool):
        self._pacs, self._audit, self.may_send = pacs, audit, may_send

    def search(self, request: SearchRequest) -> list[dict]:
        from afloc.pacs.dicomweb import StudyQuery

        query = StudyQuery(**request.model_dump())
        if not query.filters():
            raise MessageError("Please fill in at least one field.")
        with self._audit.record("search", who()):  # what was searched for may be a patient's name
            return [vars(study) for study in self._pacs.search(query)]

    def images(self, study: str) -> list[dict]:
        with self._audit.record("list", who(), study=study):
            return [vars(image) | {"place": vars(image.place)} for image in self._pacs.images(study)]

    def fetch(self, place: Place) -> bytes:
        with self._audit.record("fetch", who(), **vars(place)):
            return self._pacs.fetch(place)

    def read_source(self, place: Place, frame: int) -> "Source":
        with self._audit.record("fetch headers", who(), **vars(place)):
            return self._pacs.read_source(place, frame)

    def send(self, place: Place, results: "tuple[Dataset, ...]") -> None:
        if not self.may_send:
            raise AccessError(READING_ONLY)
        sent = [str(result.SOPInstanceUID) for result in results]
        with self._audit.record("send", who(), **vars(place), sent=sent):
            self._pacs.send(results)


def who() -> str:
    """Who asks: the name of who signed in by it, else the address."""
    return user.get() or client.get()


def pacs_routes(
    pacs: AuditedPacs | None, model: Model, open_images: OpenImages, queue: FairQueue, limit_mb: int
) -> list[Route]:
    """The routes; without a PACS that of DICOM files alone."""

    def pack(results: "tuple[Dataset, ...]") -> Response:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, result in zip(("map.dcm", "report.dcm"), results, strict=True):
                written = io.BytesIO()
                result.save_as(written, enforce_file_format=True)
                archive.writestr(name, written.getvalue())
        return Response(file.getvalue(), media_type="application/zip", headers=NO_STORE)

    def results(request: DicomRequest, file: bytes) -> "tuple[OpenImage, tuple[Dataset, ...]]":
        """What is open under the token, and the map and report on it."""
        from afloc.pacs.dicom_export import DicomExport
        from afloc.pacs.source import read_source

        opened = open_images.get(request.image)
        if opened is None:
            raise RefusedError(str(GONE["error"]), 410)
        if opened.place and pacs:
            source = pacs.read_source(opened.place, opened.frame)
        else:
            if read_image(file, opened.frame).digest != opened.image.digest:
                raise ImageError(ANOTHER_FILE)
            source = read_source(file, opened.frame)
        export = DicomExport(source, model)
        with queue.turn(request.image):
            view = opened.view(model, request.modality)
            finding = view.locate(request.description)
            notes = finding.sentences
        regions = finding.regions(request.threshold)
        drawn = [_region(region) for region in request.regions[:MOST_DRAWN]]
        return opened, export.results(0, finding, regions, notes, drawn, request.threshold)

    def send(request: DicomRequest) -> Response:
        assert pacs
        opened = open_images.get(request.image)
        if opened and not opened.place:
            raise ImageError(NOT_FROM_PACS)
        if not pacs.may_send:
            raise AccessError(READING_ONLY)
        opened, made = results(request, b"")
        assert opened.place
        pacs.send(opened.place, made)
        return _answer(sent=[str(result.SOPInstanceUID) for result in made])

    @answering_errors
    async def download(request: Request) -> Response:
        line, _, file = (await read_body(request, limit_mb)).partition(b"\n")
        try:
            message = parse(DicomRequest, json.loads(line))
        except (ValueError, RecursionError):
            raise MessageError("This should be sent as JSON on one line, then the file.") from None
        return await run_in_threadpool(lambda: pack(results(message, file)[1]))

    routes = [Route(DICOM, download, methods=["POST"])]
    if pacs is None:
        return routes
    return [
        *routes,
        post_route(f"{PACS}/search", SearchRequest, lambda sent: _answer(studies=pacs.search(sent))),
        post_route(f"{PACS}/images", StudyRequest, lambda sent: _answer(images=pacs.images(sent.study))),
        post_route(f"{PACS}/results", DicomRequest, send),
    ]


def _answer(**found: list) -> Response:
    return JSONResponse(found, headers=NO_STORE)


def _region(value: object) -> Region:
    try:
        return region_from_json(value)
    except ValueError as error:
        raise MessageError(f"A drawn region cannot be used: a box or an outline {error}.") from None
