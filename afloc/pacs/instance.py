"""A new DICOM instance on a source image: what a Parametric Map and a report have in common."""

import copy
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian, generate_uid

from afloc import __version__
from afloc.inference.model import Model
from afloc.pacs.source import FURTHER, PATIENT_AND_STUDY, Source
from afloc.text import one_line

MANUFACTURER = "AFLoc"
SHORT = 64  # bytes of a text of the kinds LO and of the meaning of a code


@dataclass(frozen=True)
class Author:
    """The model that answered. `uid`: the same wherever the same weights answer."""

    name: str
    version: str
    fingerprint: str

    @classmethod
    def of(cls, model: Model) -> "Author":
        return cls(model.name, str(model.config.version), model.fingerprint)

    @property
    def uid(self) -> UID:
        return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'afloc {self.fingerprint}').int}")

    @property
    def software(self) -> list[str]:
        return [f"afloc {__version__}", f"{self.name} {self.version}"]


@dataclass(frozen=True)
class Series:
    """A new series of the source's study, for all results of one export."""

    number: int
    description: str
    uid: UID = field(default_factory=lambda: generate_uid(prefix=None))


def new_instance(
    sop_class: UID, modality: str, source: Source, author: Author, series: Series, number: int, now: datetime
) -> Dataset:
    """An instance with its patient, study, series and equipment, and nothing of its own yet."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = source.header.SpecificCharacterSet
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid(prefix=None)
    dataset.preamble, dataset.file_meta = bytes(128), FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    dataset.file_meta.FileMetaInformationVersion = b"\0\1"
    dataset.StudyInstanceUID = source.header.StudyInstanceUID
    copy_patient_and_study(source, dataset)
    dataset.Modality = modality
    dataset.SeriesInstanceUID, dataset.SeriesNumber = series.uid, series.number
    dataset.SeriesDescription, dataset.InstanceNumber = series.description, number
    dataset.Manufacturer, dataset.ManufacturerModelName = MANUFACTURER, short(author.name)
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = author.fingerprint, author.software
    for name in ("InstanceCreation", "Content", "Series"):
        setattr(dataset, f"{name}Date", now.strftime("%Y%m%d"))
        setattr(dataset, f"{name}Time", now.strftime("%H%M%S.%f"))
    dataset.TimezoneOffsetFromUTC = now.strftime("%z")
    return dataset


def copy_patient_and_study(source: Source, dataset: Dataset) -> None:
    for name in (*PATIENT_AND_STUDY, *FURTHER):
        if name in source.header:
            dataset.add(copy.deepcopy(source.header[name]))


def short(text: str, longest: int = SHORT) -> str:
    """A text as one value of an element: on one line, without the sign that parts values, at most `longest`
    bytes."""
    text = one_line(text.replace("\\", "/"), len(text) + 1)
    if len(text.encode()) <= longest:
        return text
    return text.encode()[: longest - 3].decode(errors="ignore").rstrip() + "..."
