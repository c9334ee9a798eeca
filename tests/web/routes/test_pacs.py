"""The page and a real Orthanc: what is asked, opened, sent and noted."""

import io
import json
import zipfile

import httpx
import numpy as np
import pydicom
import pytest

from afloc.errors import SettingsError
from tests.pacs.orthanc import PASSWORD, USER, running_orthanc
from tests.pacs.sources import enhanced, film, source
from tests.web.conftest import serve
from tests.web.tabs.test_probe import to_png


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        yield orthanc


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def page(orthanc, data, tiny_folder):
    with serve(tiny_folder, **settings(orthanc, data), AFLOC_DICOMWEB_SEND="yes") as url:
        yield httpx.Client(base_url=url, timeout=60)


def settings(orthanc, data):
    login = {"AFLOC_DICOMWEB_USER": USER, "AFLOC_DICOMWEB_PASSWORD": PASSWORD}
    return {"AFLOC_DICOMWEB_URL": orthanc.url, "AFLOC_DATA_DIR": str(data), **login}


def place_of(content) -> dict[str, str]:
    header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    names = "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"
    return dict(
        zip(("study", "series", "instance"), (str(header[name].value) for name in names), strict=True)
    )


def open_image(page, **query) -> dict:
    answer = page.post("/afloc/images", params=query)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.headers["X-AFLoc-Image"])


def lines_of(data) -> list[dict]:
    return [json.loads(line) for line in (data / "audit.jsonl").read_text().splitlines()]


def test_search_open_ask_and_send_back(page, orthanc, data):
    stored = enhanced()
    orthanc.put(stored)
    place = place_of(stored)
    (study,) = [
        each
        for each in page.post("/afloc/pacs/search", json={"patient": "P-1234"}).json()["studies"]
        if each["study"] == place["study"]
    ]
    assert study["name"] == "Doe Jane" and study["date"] == "20240102"
    (image,) = page.post("/afloc/pacs/images", json={"study": study["study"]}).json()["images"]
    assert image["place"] == place and image["frames"] == 3
    about = open_image(page, **place)
    assert (about["width"], about["height"], about["frames"]) == (120, 160, 3)
    assert "Doe" not in json.dumps(about) and "P-1234" not in json.dumps(about)
    third = open_image(page, of=about["token"], frame=2)
    box = {"box": [10, 10, 20, 20]}
    asked = {"image": third["token"], "description": "effusion", "modality": "chest_xray", "regions": [box]}
    sent = page.post("/afloc/pacs/results", json=asked).json()["sent"]
    stored_now = {each.SOPInstanceUID: each for each in map(read, orthanc.files())}
    mapped, report = (stored_now[uid] for uid in sent)
    assert mapped.Modality == "OT" and report.Modality == "SR" and mapped.Rows == 160
    origin = mapped.SharedFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert origin.ReferencedSOPInstanceUID == place["instance"] and origin.ReferencedFrameNumber == 3
    assert "effusion, region 1, drawn by a reader" in [element.value for element in report.iterall()]
    noted = lines_of(data)[-5:]
    assert [line["action"] for line in noted] == ["search", "list", "fetch", "fetch headers", "send"]
    assert all(line["by"] == "127.0.0.1" and line["outcome"] == "done" for line in noted)
    assert noted[2].items() >= place.items() and noted[-1]["sent"] == sent
    text = (data / "audit.jsonl").read_text()
    assert "Doe" not in text and "P-1234" not in text and "effusion" not in text


def read(content):
    return pydicom.dcmread(io.BytesIO(content))


def test_results_on_a_file_are_downloaded(page):
    content = source(np.stack([film(), film()[::-1]]), SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2")
    answer = page.post("/afloc/images", content=content)
    token = json.loads(answer.headers["X-AFLoc-Image"])["token"]
    asked = json.dumps({"image": token, "description": "effusion", "modality": "chest_xray"}).encode()
    answer = page.post("/afloc/dicom", content=asked + b"\n" + content)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        mapped, report = (read(packed.read(name)) for name in ("map.dcm", "report.dcm"))
    assert mapped.PatientName == report.PatientName == "Doe^Jane" and report.Modality == "SR"
    other = source(film()[:, ::-1].copy())  # another patient's film must not get this answer
    for file, sentence in ((other, "not the file"), (b"", "is empty"), (to_png(film()), "no DICOM file")):
        answer = page.post("/afloc/dicom", content=asked + b"\n" + file)
        assert answer.status_code == 422 and sentence in answer.json()["error"], sentence
    png = to_png(film())
    token = json.loads(page.post("/afloc/images", content=png).headers["X-AFLoc-Image"])["token"]
    asked = json.dumps({"image": token, "description": "effusion", "modality": "chest_xray"}).encode()
    assert "no DICOM file" in page.post("/afloc/dicom", content=asked + b"\n" + png).json()["error"]
    for body, status in ((b"", 422), (b"[]\n", 422), (b'{"image": "gone"}\n' + content, 410)):
        answer = page.post("/afloc/dicom", content=body)
        assert answer.status_code == status and answer.json()["error"].endswith(".")
    answer = page.post("/afloc/pacs/results", json={"image": token, "description": "x"})
    assert "opened from the PACS" in answer.json()["error"]


@pytest.mark.parametrize(
    ("route", "sent", "sentence"),
    [
        ("search", {}, "at least one field"),
        ("search", {"since": "1.1.2024"}, "like 2026-11-28"),
        ("search", {"name": "x" * 65}, "shorter"),
        ("search", {"name": 1}, "text"),
        ("search", {"name": " ,*^"}, "at least one field"),
        ("images", {"study": "../../x"}, "DICOM UID"),
        ("images", {}, "missing"),
        ("results", {"image": "x", "description": "y"}, "no longer holds"),
    ],
)
def test_wrong_values_get_one_sentence(page, route, sent, sentence):
    answer = page.post(f"/afloc/pacs/{route}", json=sent)
    assert answer.status_code in (410, 422, 502) and sentence in answer.json()["error"]


def test_an_image_that_is_not_there_and_one_that_is_none(page, data):
    for place in ({"study": "1.2", "series": "1.3", "instance": "1.4"}, {"instance": "1.4"}):
        answer = page.post("/afloc/images", params=place)
        assert answer.status_code == 502 and answer.json()["error"].startswith(
            ("The PACS has no", "This names no")
        )
    assert lines_of(data)[-1]["outcome"] == "failed"


def test_a_page_that_may_only_read_sends_nothing(orthanc, tiny_folder, tmp_path):
    stored = source()
    orthanc.put(stored)
    with serve(tiny_folder, **settings(orthanc, tmp_path)) as url, httpx.Client(base_url=url) as page:
        token = open_image(page, **place_of(stored))["token"]
        before = len(orthanc.files())
        asked = {"image": token, "description": "effusion", "modality": "chest_xray"}
        answer = page.post("/afloc/pacs/results", json=asked)
        assert answer.status_code == 403 and "AFLOC_DICOMWEB_SEND" in answer.json()["error"]
        assert len(orthanc.files()) == before
        from_elsewhere = {"Sec-Fetch-Site": "cross-site"}
        assert page.post("/afloc/pacs/search", json={"name": "x"}, headers=from_elsewhere).status_code == 403
        (tmp_path / "audit.jsonl").unlink()
        (tmp_path / "audit.jsonl").mkdir()  # what cannot be noted is not done
        answer = page.post("/afloc/pacs/search", json={"name": "doe"})
        assert answer.status_code == 502 and "audit" in answer.json()["error"]


def test_wrong_credentials_and_a_pacs_that_is_gone(orthanc, tiny_folder, tmp_path):
    wrong = settings(orthanc, tmp_path) | {"AFLOC_DICOMWEB_PASSWORD": "wrong"}
    with serve(tiny_folder, **wrong) as url:
        answer = httpx.post(url + "afloc/pacs/search", json={"name": "doe"})
        assert answer.status_code == 502 and "AFLOC_DICOMWEB_PASSWORD" in answer.json()["error"]
    away = settings(orthanc, tmp_path) | {"AFLOC_DICOMWEB_URL": "http://127.0.0.1:9/dicom-web"}
    with serve(tiny_folder, **away) as url:
        assert (
            "does not answer" in httpx.post(url + "afloc/pacs/search", json={"name": "doe"}).json()["error"]
        )
        assert httpx.post(url + "afloc/images?example=chest_film").status_code == 200  # the rest goes on


def test_without_the_setting_there_is_no_pacs(tiny_folder, tmp_path):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url, httpx.Client(base_url=url) as page:
        assert page.post("/afloc/pacs/search", json={"name": "x"}).status_code == 404
        answer = page.post("/afloc/images?study=1.2&series=1.3&instance=1.4")
        assert answer.status_code == 404 and "AFLOC_DICOMWEB_URL" in answer.json()["error"]
        assert not (tmp_path / "audit.jsonl").exists()


def test_without_the_extra_the_setting_is_refused(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("afloc.pacs.extra.EXTRA", ("no_such_package",))
    asked = {"AFLOC_DICOMWEB_URL": "http://127.0.0.1:9", "AFLOC_DATA_DIR": str(tmp_path)}
    refused = pytest.raises(SettingsError, match=r"pip install 'afloc\[pacs\]'")
    with refused, serve(tiny_folder, **asked):
        pass
