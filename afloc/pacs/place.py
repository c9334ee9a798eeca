"""Where a PACS keeps an image. Apart from the rest, so that whoever only names one loads nothing else."""

import re
from dataclasses import dataclass

from afloc.errors import PacsError

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True)
class Place:
    """The UIDs of an instance, its series and its study. PacsError where one of them is none."""

    study: str
    series: str
    instance: str

    def __post_init__(self):
        for uid in (self.study, self.series, self.instance):
            check_uid(uid)


def is_uid(text: object) -> bool:
    return isinstance(text, str) and len(text) <= 64 and bool(_UID.fullmatch(text))


def check_uid(text: object) -> None:
    if not is_uid(text):
        raise PacsError("This names no image: study, series and instance must each be a DICOM UID.")
