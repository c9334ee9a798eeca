"""What is said of a finding as a DICOM structured report: an Imaging Measurement Report (TID 1500).

One group is on the image: the description, verdict, probability, score and the map as its explanation. Each
region of the map and each one that a reader drew has a group of its own, with its outline on the image.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ComprehensiveSRStorage, generate_uid

from afloc import __version__
from afloc.imaging.regions import Box, Region
from afloc.inference.finding import Finding
from afloc.pacs.instance import MANUFACTURER, Author, Series, new_instance, short
from afloc.pacs.source import Source

SCHEME = "99AFLOC"
_SCORE = CodedConcept("score", SCHEME, "Fit of the whole description, 0 to 1")
_PEAK = CodedConcept("map-maximum", SCHEME, "Highest value of the map in the region, 0 to 1")
_OPERATING_POINT = CodedConcept("operating-point", SCHEME, "Probability from which on it is judged present")
_DRAWN = "drawn by a reader"
_VERDICTS = {True: codes.DCM.Present, False: codes.DCM.Absent, None: codes.DCM.PresenceUndetermined}


@dataclass(frozen=True)
class Said:
    """What a report says. `regions`: of the map, from `threshold` up; `drawn`: by a reader.

    `notes`: cautions.
    """

    finding: Finding
    regions: Sequence[Region]
    drawn: Sequence[Region]
    notes: Sequence[str]
    threshold: float


def report(
    source: Source, author: Author, series: Series, number: int, said: Said, mapped: Dataset, now: datetime
) -> Dataset:
    """The report on a finding; `mapped`: its Parametric Map. It is complete, and nobody has verified it."""
    described = new_instance(ComprehensiveSRStorage, "SR", source, author, series, number, now)
    document = _Document(
        evidence=[source.header, mapped],
        content=_content(source, author, said, mapped)[0],
        series_instance_uid=series.uid,
        series_number=series.number,
        sop_instance_uid=described.SOPInstanceUID,
        instance_number=number,
        manufacturer=MANUFACTURER,
        is_complete=True,
        transfer_syntax_uid=described.file_meta.TransferSyntaxUID,
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="AFLoc", version=__version__)],
    )
    document.update(described)
    return document


class _Document(ComprehensiveSR):
    """highdicom's, but the patient and the study are those of our own header."""

    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        pass


def _content(source: Source, author: Author, said: Said, mapped: Dataset) -> MeasurementReport:
    device = DeviceObserverIdentifyingAttributes(
        uid=author.uid,
        name="AFLoc",
        manufacturer_name=MANUFACTURER,
        model_name=f"{author.name} {author.version}",
        serial_number=author.fingerprint,
    )
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    groups: list[Any] = [_group_on_image(source, author, said, mapped)]  # of two kinds
    for place, region in enumerate(said.regions, 1):
        groups.append(
            _group_on_region(source, said.finding, region, f"region {place}", author, said.threshold)
        )
    for place, region in enumerate(said.drawn, 1):
        groups.append(_group_on_region(source, said.finding, region, f"region {place}, {_DRAWN}"))
    return MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )


def _group_on_image(
    source: Source, author: Author, said: Said, mapped: Dataset
) -> MeasurementsAndQualitativeEvaluations:
    finding = said.finding
    numbers = [
        (codes.DCM.Probability, finding.probability),
        (_OPERATING_POINT, finding.operating_point),
        (_SCORE, finding.score),
    ]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(finding.text),
        finding_type=_finding_code(finding.text),
        algorithm_id=_algorithm(author),
        measurements=[_measured(name, value) for name, value in numbers if value is not None],
        qualitative_evaluations=[
            QualitativeEvaluation(codes.DCM.PresenceOfProperty, _VERDICTS[finding.present])
        ],
        source_images=[SourceImageForMeasurementGroup(*_reference(source))],
    )
    explanation = ImageContentItem(
        codes.DCM.VisualExplanation,
        mapped.SOPClassUID,
        mapped.SOPInstanceUID,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    contains = RelationshipTypeValues.CONTAINS
    comments = [TextContentItem(codes.DCM.Comment, note, contains) for note in said.notes]
    group[0].ContentSequence.extend([explanation, *comments])
    return group


def _group_on_region(
    source: Source,
    finding: Finding,
    region: Region,
    name: str,
    author: Author | None = None,
    threshold: float | None = None,
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """`author`: of the map's own regions alone."""
    peak = region.score if isinstance(region, Box) else None
    outline = ImageRegion("POLYLINE", _closed(region), SourceImageForRegion(*_reference(source)))
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(f"{finding.text}, {name}"),
        referenced_region=outline,
        finding_type=_finding_code(finding.text),
        algorithm_id=_algorithm(author, f"regions of the map from {threshold:g} up") if author else None,
        measurements=None if peak is None else [_measured(_PEAK, peak)],
    )


def _measured(name: Code | CodedConcept, value: float) -> Measurement:
    return Measurement(name, float(value), codes.UCUM.NoUnits)


def _closed(region: Region) -> np.ndarray:
    """(N, 2) points (column, row) from the image's top left corner, as ours are; the last is the first."""
    if isinstance(region, Box):
        left, top, right, bottom = region.bounds
        points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    else:
        points = [*region.points]
    return np.array([*points, points[0]] if points[0] != points[-1] else points, float)


def _reference(source: Source) -> tuple[str, str, list[int] | None]:
    return source.header.SOPClassUID, source.header.SOPInstanceUID, source.frame_numbers


def _tracking(text: str) -> TrackingIdentifier:
    return TrackingIdentifier(generate_uid(prefix=None), text)


def _algorithm(author: Author, *parameters: str) -> AlgorithmIdentification:
    said = [f"fingerprint {author.fingerprint}", f"afloc {__version__}", *parameters]
    return AlgorithmIdentification(author.name, author.version, said, manufacturer=MANUFACTURER)


def _finding_code(text: str) -> CodedConcept:
    """A description is free text, and a finding must be a code: the same words have the same one."""
    return CodedConcept(hashlib.sha256(text.encode()).hexdigest()[:16], SCHEME, short(text))
