"""Search, fetch, ask, send back and fetch again, with a real Orthanc; and what can go wrong on the way."""

import io
import socket
import threading

import numpy as np
import pydicom
import pytest

from afloc.errors import ImageError, PacsError
from afloc.imaging.image import read_image
from afloc.pacs.place import Place
from tests.pacs.orthanc import PASSWORD, USER, running_orthanc
from tests.pacs.sources import enhanced, film, source

dicomweb = pytest.importorskip("afloc.pacs.dicomweb", reason="the extra afloc[pacs] is not installed")
MB = 1 << 20


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        yield orthanc


@pytest.fixture(scope="module")
def pacs(orthanc):
    return connect(orthanc.url)


def connect(url, user=USER, password=PASSWORD, token=None, limit=128 * MB):
    return dicomweb.Pacs(url, user, password, token, limit)


def place_of(content) -> Place:
    header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    return Place(header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID)


def test_a_study_is_found_by_what_is_known_of_it(orthanc, pacs):
    wanted = source(PatientName="Lind^Asa", PatientID="S-1", AccessionNumber="ACC1", StudyDate="20230505")
    for content in (wanted, source(PatientID="S-2", StudyDate="20220505", Modality="CR")):
        orthanc.put(content)

    def find(**query) -> list[str]:
        return [study.study for study in pacs.search(dicomweb.StudyQuery(**query))]

    study = place_of(wanted).study
    for query in (
        {"patient": "S-1"},
        {"accession": "ACC1"},
        {"name": "lind"},
        {"name": "Lind, a", "modality": "dx"},
        {"since": "20230101", "until": "20231231"},
        {"name": "lind*", "since": "20230505"},
    ):
        assert find(**query) == [study], query
    for query in ({"patient": "S-1", "modality": "CR"}, {"name": "nobody"}, {"until": "19991231"}):
        assert find(**query) == [], query
    (shown,) = pacs.search(dicomweb.StudyQuery(patient="S-1"))
    assert (shown.name, shown.date, shown.modalities) == ("Lind Asa", "20230505", "DX")


def test_the_images_of_a_study_without_its_reports(orthanc, pacs):
    first = source(InstanceNumber=2, SeriesDescription="PA")
    place = place_of(first)
    same = {"StudyInstanceUID": place.study, "SeriesInstanceUID": place.series, "SeriesDescription": "PA"}
    frames = enhanced()
    for content in (first, source(InstanceNumber=1, **same), frames):
        orthanc.put(content)
    shown = pacs.images(place.study)
    assert [(image.number, image.description, image.frames) for image in shown] == [
        ("1", "PA", 1),
        ("2", "PA", 1),
    ]
    assert (shown[0].width, shown[0].height) == (120, 160) and shown[1].place == place
    (several,) = pacs.images(place_of(frames).study)
    assert several.frames == 3


@pytest.mark.parametrize("frame", [None, 2])
def test_there_and_back(orthanc, pacs, small_model, frame):
    """Fetch an image, ask, send the results, fetch them: the same numbers, in the same study."""
    highdicom = pytest.importorskip("highdicom")
    from afloc.pacs.dicom_export import DicomExport

    stored = source() if frame is None else enhanced()
    orthanc.put(stored)
    place = place_of(stored)
    fetched = pacs.fetch(place)
    assert fetched == stored
    finding = small_model.encode(read_image(fetched, frame or 0), "chest_xray").locate("pleural effusion")
    export = DicomExport(pacs.read_source(place, frame or 0), small_model)
    results = export.results(0, finding, finding.regions(), drawn=finding.regions(0.01)[:1])
    pacs.send(results)
    for result in results:
        back = pacs.fetch(Place(place.study, result.SeriesInstanceUID, result.SOPInstanceUID))
        read = pydicom.dcmread(io.BytesIO(back))
        assert read.PatientName == "Doe^Jane" and read.StudyInstanceUID == place.study
        if result.Modality == "OT":
            image = highdicom.pm.sop.pmread(io.BytesIO(back))
            heatmap = image.get_frames(apply_real_world_transform=True)[0]
            np.testing.assert_allclose(heatmap, finding.heatmap, rtol=0, atol=1e-6)
        else:
            words = str(highdicom.sr.srread(io.BytesIO(back)))
            assert "pleural effusion" in words and small_model.fingerprint in words
    assert [image.place for image in pacs.images(place.study)] == [place]  # the results are no images to open


def test_one_sentence_for_each_refusal(orthanc):
    content = source()
    orthanc.put(content)
    place = place_of(content)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        for pacs, sentence in (
            (connect(orthanc.url, password="wrong"), "does not accept this page's credentials"),
            (connect(orthanc.url, None, None), "does not accept this page's credentials"),
            (connect(orthanc.url, token="wrong"), "does not accept this page's credentials"),
            (connect(closed), "does not answer"),
        ):
            for act in (
                lambda pacs: pacs.search(dicomweb.StudyQuery(patient="x")),
                lambda pacs: pacs.images(place.study),
                lambda pacs: pacs.fetch(place),
                lambda pacs: pacs.read_source(place),
                lambda pacs: pacs.send([pydicom.dcmread(io.BytesIO(content))]),
            ):
                with pytest.raises(PacsError, match=f"^The PACS {sentence}[^\n]*\\.$") as caught:
                    act(pacs)
                assert caught.value.__suppress_context__  # what it is about may name a patient
    for act in (connect(orthanc.url).fetch, connect(orthanc.url).read_source):
        with pytest.raises(PacsError, match="has no such image"):
            act(Place("1.2", "1.3", "1.4"))
    with pytest.raises(PacsError, match="AFLOC_DICOMWEB_URL"):
        connect(f"{orthanc.address}/nothing").search(dicomweb.StudyQuery(patient="x"))
    with pytest.raises(PacsError, match="cannot be read|AFLOC_DICOMWEB_URL"):
        connect(f"{orthanc.address}/app").images("1.2")
    with pytest.raises(ImageError, match="larger than 1 MB"):
        big = source(np.zeros((1500, 1500), np.uint8))
        orthanc.put(big)
        connect(orthanc.url, limit=MB).fetch(place_of(big))


@pytest.mark.parametrize("uid", ["", "1.2/../..", "1..2", "x", "1" * 65, "1.2?a=b", "1.2\n", None])
def test_what_is_no_uid_reaches_no_address(uid):
    for uids in ((uid, "1.2", "1.3"), ("1.2", uid, "1.3"), ("1.2", "1.3", uid)):
        with pytest.raises(PacsError, match="names no image"):
            Place(*uids)


@pytest.mark.parametrize("after", [0, 10_000, 3_000_000])
def test_a_server_that_dies_in_the_middle(tmp_path, after):
    """Killed once so many bytes of an image have left it, through a relay that counts them."""
    with running_orthanc(tmp_path) as orthanc:
        content = source(np.random.default_rng(0).integers(0, 256, (2000, 3000), np.uint8))
        orthanc.put(content)
        dead = pytest.raises(PacsError, match="broke off in the middle|does not answer")
        with relay(orthanc, after) as url, dead as caught:
            connect(url).fetch(place_of(content))
        assert after == 0 or "broke off" in str(caught.value)


class relay:
    """Passes connections on to an Orthanc, and kills it after so many bytes of answers."""

    def __init__(self, orthanc, after):
        self._orthanc, self._left = orthanc, after
        self._port = int(orthanc.address.rpartition(":")[2])

    def __enter__(self):
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/dicom-web"

    def __exit__(self, *_):
        self._listening.close()

    def _serve(self):
        here, _ = self._listening.accept()
        there = socket.create_connection(("127.0.0.1", self._port))
        there.sendall(here.recv(65536))
        while self._left > 0 and (piece := there.recv(min(65536, self._left))):
            here.sendall(piece)
            self._left -= len(piece)
        self._orthanc.process.kill()
        self._orthanc.process.wait()
        while piece := self._rest(there):
            here.sendall(piece[:1])
        here.close()
        there.close()

    def _rest(self, there) -> bytes:
        try:
            return there.recv(65536)
        except OSError:
            return b""


def test_an_instance_of_300_megabytes(orthanc, long):
    """One as large as `read_image` takes comes through whole; a larger one is refused while it comes in."""
    if not long:
        pytest.skip("takes half a minute: --long")
    frames = np.broadcast_to(film((1000, 990)), (300, 1000, 990))
    content = source(frames, SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2", Modality="OT")
    assert 295e6 < len(content) <= 300e6
    orthanc.put(content)
    fetched = connect(orthanc.url, limit=300 * MB).fetch(place_of(content))
    assert fetched == content
    assert read_image(fetched, 299).frames == 300
    with pytest.raises(ImageError, match="larger than 128 MB"):
        connect(orthanc.url).fetch(place_of(content))
