"""What a file says of how and when its picture was taken."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Capture:
    """How and when a picture was taken, as its file says it; None where the file is silent.

    ``projection``: DICOM's word for the view ("PA", "LL"). ``study_date``: like "2021-03-04". ``plane``:
    where the distances of `Image.spacing` hold: "object" (in the patient, on the slide), "detector" (larger
    than in the patient by the magnification), "film" (on the film that was scanned), "unsaid".
    """

    projection: str | None = None
    study_date: str | None = None
    plane: str | None = None
