"""A PACS by DICOMweb: search (QIDO-RS), fetch the bytes of an image (WADO-RS), send results (STOW-RS).

What is fetched is decoded as an uploaded file is, by `read_image`: a PACS passes on what others made.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from requests.auth import AuthBase, HTTPBasicAuth

from afloc.errors import ImageError, PacsError
from afloc.pacs.place import Place, check_uid, is_uid
from afloc.pacs.source import Source, source_of

MOST_STUDIES, MOST_IMAGES = 100, 300
FETCHES_AT_ONCE = 4  # each holds a file in memory
TURN_SECONDS = 60
TIMEOUT = (5.0, 60.0)  # seconds to connect, and between two pieces of an answer
_CHUNK = 1 << 20
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_NO_PICTURES = {"SR", "PR", "KO", "DOC", "AU", "ECG", "REG", "SEG", "PLAN", "RTSTRUCT", "RTPLAN", "RTRECORD"}
_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"

NO_ANSWER = "The PACS does not answer: try again, or tell whoever runs this page."
BROKEN_OFF = "The PACS broke off in the middle of its answer: nothing was lost, please try again."
WRONG_CREDENTIALS = (
    "The PACS does not accept this page's credentials: whoever runs it must check AFLOC_DICOMWEB_USER and "
    "AFLOC_DICOMWEB_PASSWORD, or AFLOC_DICOMWEB_TOKEN."
)
UNREADABLE = "The PACS gave an answer that cannot be read: tell whoever runs this page."
NO_DICOMWEB = (
    "There is no DICOMweb at the address of the PACS: whoever runs it must check AFLOC_DICOMWEB_URL."
)
NOT_THERE = "The PACS has no such image."
NOT_TAKEN = "The PACS did not take the results: tell whoever runs it that it refused to store them."
NO_TURN = "The page fetches as many images as it can: please try again in a minute."


@dataclass(frozen=True)
class StudyQuery:
    """What to search for; empty for anything. `name`: how it begins, parts with spaces between. Dates are
    YYYYMMDD, both included."""

    patient: str = ""
    name: str = ""
    since: str = ""
    until: str = ""
    modality: str = ""
    accession: str = ""

    def filters(self) -> dict[str, str]:
        parts = re.findall(r"[^\s,^*]+", self.name)
        given = {
            "PatientID": self.patient,
            "PatientName": "".join(f"{part}*" for part in parts),
            "StudyDate": f"{self.since}-{self.until}" if self.since or self.until else "",
            "ModalitiesInStudy": self.modality.upper(),
            "AccessionNumber": self.accession,
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Study:
    study: str
    name: str
    patient: str
    date: str
    modalities: str
    description: str
    accession: str


@dataclass(frozen=True)
class StoredImage:
    """An instance that may hold a picture, as a list shows it."""

    place: Place
    modality: str
    description: str
    number: str
    frames: int
    width: int
    height: int


class Pacs:
    """A DICOMweb server. Where it does not do what is asked, every method raises PacsError with one sentence.

    `limit`: bytes that a fetched instance may have.
    """

    def __init__(self, url: str, user: str | None, password: str | None, token: str | None, limit: int):
        self._url = url.rstrip("/")
        self._auth: AuthBase | None = HTTPBasicAuth(user, password or "") if user else None
        if token:
            self._auth = _Bearer(token)
        self._limit = limit
        self._turns = threading.BoundedSemaphore(FETCHES_AT_ONCE)

    def search(self, query: StudyQuery) -> list[Study]:
        """The studies that fit, newest first, at most MOST_STUDIES."""
        fields = ["StudyDescription", "ModalitiesInStudy", "AccessionNumber", "PatientID", "PatientName"]
        filters = query.filters()
        with _one_sentence(NO_DICOMWEB):
            found = self._client().search_for_studies(
                search_filters=filters, fields=[*fields, "StudyDate"], limit=MOST_STUDIES
            )
            studies = [
                Study(
                    _text(item, "StudyInstanceUID"),
                    _text(item, "PatientName").replace("^", " ").strip(),
                    _text(item, "PatientID"),
                    _text(item, "StudyDate"),
                    _text(item, "ModalitiesInStudy"),
                    _text(item, "StudyDescription"),
                    _text(item, "AccessionNumber"),
                )
                for item in found
            ]
        studies = [study for study in studies if is_uid(study.study)]
        return sorted(studies, key=lambda study: study.date, reverse=True)[:MOST_STUDIES]

    def images(self, study: str) -> list[StoredImage]:
        """What may be pictures in a study, series by series, at most MOST_IMAGES."""
        check_uid(study)
        images: list[StoredImage] = []
        client = self._client()
        with _one_sentence(NO_DICOMWEB):
            for series in client.search_for_series(study, fields=["SeriesDescription", "Modality"]):
                modality, left = _text(series, "Modality"), MOST_IMAGES - len(images)
                if modality in _NO_PICTURES or left < 1:
                    continue
                uid = _text(series, "SeriesInstanceUID")
                fields = ["NumberOfFrames", "Rows", "Columns", "InstanceNumber"]
                found = [
                    StoredImage(
                        Place(study, uid, _text(item, "SOPInstanceUID")),
                        modality,
                        _text(series, "SeriesDescription"),
                        _text(item, "InstanceNumber"),
                        _number(item, "NumberOfFrames") or 1,
                        _number(item, "Columns"),
                        _number(item, "Rows"),
                    )
                    for item in client.search_for_instances(study, uid, fields=fields, limit=left)
                    if _text(item, "SOPClassUID") != _PARAMETRIC_MAP
                ]
                images += sorted(found, key=lambda image: image.number.zfill(12))
        return images[:MOST_IMAGES]

    def fetch(self, place: Place) -> bytes:
        """The DICOM file of an instance, as it is stored. ImageError where it is larger than the limit."""
        address = f"{self._url}/studies/{place.study}/series/{place.series}/instances/{place.instance}"
        if not self._turns.acquire(timeout=TURN_SECONDS):
            raise PacsError(NO_TURN)
        try:
            with _one_sentence(), self._session() as session:
                answer = session.get(address, headers={"Accept": _AS_STORED}, stream=True, timeout=TIMEOUT)
                with answer:
                    answer.raise_for_status()
                    body = _read(answer, self._limit)
                file = _only_part(body, answer.headers.get("Content-Type", ""))
                if len(file) > self._limit:
                    raise ImageError(too_large(self._limit))
                return file
        finally:
            self._turns.release()

    def read_source(self, place: Place, frame: int = 0) -> Source:
        """The source of results on an instance, from its headers alone. ImageError as of `source_of`."""
        with _one_sentence():
            client = self._client()
            found = client.retrieve_instance_metadata(place.study, place.series, place.instance)
            return source_of(Dataset.from_json(found), frame)

    def send(self, results: Sequence[Dataset]) -> None:
        """Store results in the study they belong to, all of them or, as far as the PACS can, none."""
        study = results[0].StudyInstanceUID
        with _one_sentence(NO_DICOMWEB):
            answer = self._client().store_instances(results, study)
        stored = {item.get("ReferencedSOPInstanceUID") for item in answer.get("ReferencedSOPSequence", [])}
        refused = answer.get("FailedSOPSequence") or not stored.issuperset(
            result.SOPInstanceUID for result in results
        )
        if refused:
            raise PacsError(NOT_TAKEN)

    def _client(self) -> DICOMwebClient:
        client = DICOMwebClient(self._url, self._session(), timeout=TIMEOUT)
        client.set_http_retry_params(retry=False)  # who asks decides whether to wait
        return client

    def _session(self) -> requests.Session:
        session = _Session()  # one a call: it is not safe among threads
        session.auth = self._auth
        return session


class _Session(requests.Session):
    """Some servers do not decode an asterisk that is written %2A, which addresses may hold as it is."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        prepared = super().prepare_request(request)
        prepared.url = (prepared.url or "").replace("%2A", "*")
        return prepared


class _Bearer(AuthBase):
    def __init__(self, token: str):
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def too_large(limit: int) -> str:
    return f"The image in the PACS is larger than {limit >> 20} MB; please open a smaller one."


@contextmanager
def _one_sentence(not_there: str = NOT_THERE) -> Iterator[None]:
    """Whatever goes wrong on the way to the PACS and back, as PacsError: its own message may quote a name."""
    try:
        yield
        return
    except (PacsError, ImageError):
        raise
    except requests.HTTPError as error:
        sentence = _explain_status(getattr(error.response, "status_code", 0), not_there)
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        sentence = BROKEN_OFF
    except requests.ConnectionError as error:
        broken = "aborted" in str(error) or "reset" in str(error).lower()
        sentence = BROKEN_OFF if broken else NO_ANSWER
    except requests.RequestException:
        sentence = NO_ANSWER
    except (ValueError, TypeError, AttributeError, LookupError, NotImplementedError):
        sentence = UNREADABLE
    raise PacsError(sentence) from None


def _explain_status(status: int, not_there: str) -> str:
    if status in (401, 403):
        return WRONG_CREDENTIALS
    if status in (404, 410):
        return not_there
    return f"The PACS answered with an error (HTTP {status}): try again, or tell whoever runs this page."


def _read(answer: requests.Response, limit: int) -> bytearray:
    body = bytearray()
    for piece in answer.iter_content(_CHUNK):
        body += piece
        if len(body) > limit + _CHUNK:  # what stands around the file is small
            raise ImageError(too_large(limit))
    return body


def _only_part(body: bytearray, content_type: str) -> bytes:
    """The file in a multipart answer. PacsError where its end is missing."""
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() == "application/dicom":
        return bytes(body)
    boundary = header.get_boundary()
    if not header.get_content_type().startswith("multipart/") or not boundary:
        raise PacsError(UNREADABLE)
    start = body.find(b"\r\n\r\n", body.find(f"--{boundary}".encode()))
    end = body.rfind(f"\r\n--{boundary}".encode())
    if start < 0 or end < start + 4:
        raise PacsError(BROKEN_OFF)
    return bytes(memoryview(body)[start + 4 : end])


def _values(item: dict[str, Any], keyword: str) -> list[Any]:
    tag = tag_for_keyword(keyword)
    return item.get(f"{tag:08X}", {}).get("Value") or []


def _text(item: dict[str, Any], keyword: str) -> str:
    """The values of an element of a QIDO answer as one text, "" where there is none."""
    values = (
        value.get("Alphabetic", "") if isinstance(value, dict) else value for value in _values(item, keyword)
    )
    return "/".join(str(value) for value in values if value is not None)


def _number(item: dict[str, Any], keyword: str) -> int:
    values = _values(item, keyword)
    return int(values[0]) if values and values[0] is not None else 0
