"""A finding's map as a DICOM Parametric Map (PS3.3 A.75): float32, as many pixels as the source image.

highdicom writes these only for a source with a frame of reference, which most films do not have.
"""

from datetime import datetime

import numpy as np
from highdicom.pm import RealWorldValueMapping
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ParametricMapStorage, generate_uid

from afloc.inference.finding import Finding
from afloc.pacs.instance import Author, Series, new_instance, short
from afloc.pacs.source import Source, make_item

_IMAGE_TYPE = ["DERIVED", "PRIMARY", "STATIC", "QUANTITY"]


def parametric_map(
    source: Source, author: Author, series: Series, number: int, finding: Finding, now: datetime
) -> Dataset:
    """The heatmap, 0 … 1 on its fixed scale and ungated, as class activation."""
    dataset = new_instance(ParametricMapStorage, "OT", source, author, series, number, now)
    _describe_image(dataset, source, finding)
    dataset.SharedFunctionalGroupsSequence = [_groups(source, finding)]
    _add_dimension(dataset)
    dataset.ReferencedSeriesSequence = [_series_of(source)]
    dataset.FloatPixelData = np.ascontiguousarray(finding.heatmap, "<f4").tobytes()
    return dataset


def _describe_image(dataset: Dataset, source: Source, finding: Finding) -> None:
    header = source.header
    # A map must have a frame of reference. Where the source has none it is a new one, without a place in it.
    dataset.FrameOfReferenceUID = header.get("FrameOfReferenceUID") or generate_uid(prefix=None)
    dataset.PositionReferenceIndicator = header.get("PositionReferenceIndicator", "")
    dataset.PatientOrientation = header.get("PatientOrientation", "")
    side = header.get("Laterality") or header.get("ImageLaterality")
    dataset.Laterality = side if side in ("R", "L") else ""
    dataset.ImageType = _IMAGE_TYPE
    dataset.ImageComments = finding.text
    dataset.ContentQualification = "RESEARCH"
    dataset.ContentLabel, dataset.ContentDescription = "MAP", short(finding.text)
    dataset.ContentCreatorName = ""
    dataset.BurnedInAnnotation = "NO"
    dataset.RecognizableVisualFeatures = "NO"
    dataset.LossyImageCompression = "00"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames = 1
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = header.Rows, header.Columns, 32
    dataset.AcquisitionContextSequence = []


def _groups(source: Source, finding: Finding) -> Dataset:
    """The shared functional groups: what the numbers mean, how they are shown, from what they are derived."""
    groups = Dataset()
    for element in source.plane:
        groups.add(element)
    groups.ParametricMapFrameTypeSequence = [make_item(FrameType=_IMAGE_TYPE)]
    groups.RealWorldValueMappingSequence = [
        RealWorldValueMapping(
            lut_label="MAP",
            lut_explanation=short(finding.text),
            unit=codes.UCUM.NoUnits,
            value_range=(0.0, 1.0),
            slope=1.0,
            intercept=0.0,
            quantity_definition=codes.DCM.ClassActivation,
        )
    ]
    groups.FrameVOILUTSequence = [
        make_item(WindowCenter="0.5", WindowWidth="1", VOILUTFunction="LINEAR_EXACT")
    ]
    groups.PixelValueTransformationSequence = [
        make_item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")
    ]
    origin = source.reference()
    origin.PurposeOfReferenceCodeSequence = [_code(codes.DCM.SourceImageForImageProcessingOperation)]
    origin.SpatialLocationsPreserved = "YES"
    derivation = make_item(DerivationDescription="How well each place fits the description, by AFLoc")
    derivation.DerivationCodeSequence = [_code(codes.DCM.UnspecifiedMethodOfCalculation)]
    derivation.SourceImageSequence = [origin]
    groups.DerivationImageSequence = [derivation]
    return groups


def _add_dimension(dataset: Dataset) -> None:
    """One dimension, the label of the numbers: every file of several frames must have one."""
    dimension = generate_uid(prefix=None)
    dataset.DimensionOrganizationSequence = [make_item(DimensionOrganizationUID=dimension)]
    index = make_item(DimensionOrganizationUID=dimension, DimensionDescriptionLabel="Map")
    index.DimensionIndexPointer = 0x00409210  # LUT Label
    index.FunctionalGroupPointer = 0x00409096  # Real World Value Mapping Sequence
    dataset.DimensionIndexSequence = [index]
    content = make_item(DimensionIndexValues=[1], FrameAcquisitionNumber=1)
    dataset.PerFrameFunctionalGroupsSequence = [make_item(FrameContentSequence=[content])]


def _series_of(source: Source) -> Dataset:
    item = make_item(SeriesInstanceUID=source.header.SeriesInstanceUID)
    item.ReferencedInstanceSequence = [source.reference()]
    return item


def _code(code) -> CodedConcept:
    return CodedConcept.from_code(code)
