"""Nothing that names a patient stays behind: 25 identifiers go in with a film, then are looked for."""

import io
import json
import zipfile

import httpx
import pytest
from playwright.sync_api import expect
from pydicom import dcmread

from tests.evaluation.sets import box
from tests.web.conftest import serve
from tests.web.tabs.test_ground_truth import VIEWER
from tests.web.tabs.test_probe import a_film, ask, insist, to_dicom, upload, wait_for_size

TAGS = (
    *("PatientName", "PatientID", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"),
    *(
        "PatientAddress",
        "PatientTelephoneNumbers",
        "PatientComments",
        "AdditionalPatientHistory",
        "Occupation",
    ),
    *("AccessionNumber", "StudyID", "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "RequestingPhysician"),
    *("StationName", "DeviceSerialNumber", "StudyDescription", "SeriesDescription", "ImageComments"),
)
MARK = "Xq7"  # in every identifier, and in nothing else


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("private")


@pytest.fixture(scope="module")
def url(tiny_folder, folder):
    settings = {"AFLOC_DATA_DIR": str(folder / "data"), "AFLOC_COORDINATOR_CODE": "coordinator"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "gradio"))
        with serve(tiny_folder, **settings) as url:
            yield url


def a_named_film():
    data = dcmread(io.BytesIO(to_dicom(a_film(1))))
    for number, tag in enumerate(TAGS):
        setattr(data, tag, f"{MARK}{number:02}")
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    assert out.getvalue().count(MARK.encode()) == len(TAGS) == 24  # and the name of the file
    return out.getvalue()


def test_25_identifiers_leave_no_trace(page, url, folder, capfd, caplog, tmp_path):
    film, name = a_named_film(), f"{MARK}_Doe_Jane"
    left = {}
    upload(page, film, f"{name}.dcm")
    wait_for_size(page, 240, 300)
    ask(page, "pleural effusion")
    insist(page)
    page.click("[data-there=yes]")
    expect(page.locator(".feedback .saved")).to_contain_text("saved")
    page.click(".scan-all")
    page.wait_for_selector(".scan .bar")
    page.click(".share")
    for kind in ("finding", "file", "picture"):
        with page.expect_download() as download:
            page.click(f"[data-share={kind}]")
        left[kind] = download.value.path().read_bytes() + download.value.suggested_filename.encode()
    page.keyboard.press("Escape")
    upload(page, b"no image", f"{name}.png")
    expect(page.locator(".verdict h2")).to_have_text("That did not work")

    page.get_by_role("tab", name="Ground truth").click()
    page.wait_for_selector(f"{VIEWER}[data-state='ready']")
    truth = json.dumps([box("Effusion", 20, 30, 60, 50)]).encode()
    for kind, file, content in (("image", f"{name}.dcm", film), ("truth", f"{name}.json", truth)):
        given = {"name": file, "mimeType": "application/octet-stream", "buffer": content}
        page.set_input_files(f"#ground_truth .of-{kind}", given)
        page.wait_for_function(f"document.querySelector('{VIEWER}').viewer.image.width === 240")
    expect(page.locator("#ground_truth .pick")).to_have_text("Effusion")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}.dcm", film)
        archive.writestr("set.csv", f"image,labels\n{name}.dcm,Effusion\n")
    page.click("#ground_truth [data-view=set]")
    given = {"name": "set.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}
    page.set_input_files("#ground_truth .of-set", given)
    expect(page.locator("#ground_truth .set .state")).to_have_text("1 image, not evaluated yet.")

    for format in ("csv", "parquet", "coco"):
        said = {"code": "coordinator", "study": "", "format": format}
        archive = zipfile.ZipFile(io.BytesIO(httpx.post(f"{url}afloc/export", json=said).content))
        left |= {entry: archive.read(entry) for entry in archive.namelist()}
    left["storage"] = json.dumps(page.context.storage_state(indexed_db=True)).encode()
    left["session"] = page.evaluate("JSON.stringify([{...sessionStorage}, location.href])").encode()
    assert page.evaluate("caches.keys()") == []

    page.goto(f"{url}afloc/images")
    uploads = folder / "data" / "uploads"
    for _ in range(100):  # the page drops what it opened on its way out
        if not any(uploads.iterdir()):
            break
        page.wait_for_timeout(50)
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".duckdb" for path in kept)
    left |= {str(path): path.read_bytes() + str(path).encode() for path in kept}
    out, err = capfd.readouterr()
    left["log"] = (out + err + caplog.text).encode()
    assert [place for place, content in left.items() if MARK.encode() in content] == []
