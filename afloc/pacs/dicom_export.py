"""Answers as DICOM: each finding's map as a Parametric Map, and what is said of it as a structured report.

    results = DicomExport(read_source("film.dcm"), model)
    results.write(folder, order, finding, finding.regions())

Both refer to the source image. They carry its patient and study, so they belong beside it in a PACS, and its
frame of reference where it has one: a geometry is never made up.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset

from afloc.errors import ImageError
from afloc.imaging.regions import Region
from afloc.inference.finding import Finding
from afloc.inference.model import Model
from afloc.pacs.extra import check_extra
from afloc.pacs.instance import Author, Series
from afloc.pacs.source import NOT_STANDARD, Source

RESEARCH = "Research use only. Not for diagnosis."


class DicomExport:
    """The results on one frame of a DICOM image: its maps are a series, its reports another.

    SettingsError without the extra `afloc[pacs]`.
    """

    def __init__(self, source: Source, model: Model):
        check_extra()
        self._source = source
        self._author = Author.of(model)
        self._maps = Series(9101, "AFLoc maps")
        self._reports = Series(9102, "AFLoc reports")

    def results(
        self,
        order: int,
        finding: Finding,
        regions: Iterable[Region],
        notes: Iterable[str] = (),
        drawn: Iterable[Region] = (),
        threshold: float = 0.5,
    ) -> tuple[Dataset, Dataset]:
        """(Parametric Map, report) of a finding under protocol native, ready to be saved or sent.

        `order`: its number among the findings of this export, from 0. `regions`: of the map, from `threshold`
        up. `drawn`: by a reader. `notes`: cautions, in sentences. ImageError where the map is not one of the
        source.
        """
        from afloc.pacs.parametric_map import parametric_map
        from afloc.pacs.report import Said, report

        if finding.heatmap.shape != (self._source.height, self._source.width):
            raise ImageError("The map is not one of this image: ask again under protocol native.")
        now, number = datetime.now().astimezone(), order + 1
        said = Said(finding, [*regions], [*drawn], [*notes, RESEARCH], threshold)
        mapped = parametric_map(self._source, self._author, self._maps, number, finding, now)
        try:
            return mapped, report(self._source, self._author, self._reports, number, said, mapped, now)
        except KeyError:  # highdicom knows the kinds of medical images
            raise ImageError(NOT_STANDARD) from None

    def write(self, folder: Path, order: int, finding: Finding, regions: Iterable[Region], **more) -> None:
        """Write `results` as ORDER-map.dcm and ORDER-report.dcm."""
        folder.mkdir(parents=True, exist_ok=True)
        names = f"{order}-map.dcm", f"{order}-report.dcm"
        for name, dataset in zip(names, self.results(order, finding, regions, **more), strict=True):
            dataset.save_as(folder / name, enforce_file_format=True)
