"""The folder of the study files: what is served of it, and changing it from the page.

Several processes may share a folder. A file that changes, by whomever, is served from the next request on. A
file is replaced whole, and only by somebody who has seen what it says now (`token`).
"""

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from afloc.errors import ChangedError, DataError, SettingsError
from afloc.feedback.studies.study import DRAFT, NAME, NAME_RULE, Study
from afloc.feedback.studies.study_file import FOLDER, parse_values, read_studies, read_values, study_of
from afloc.feedback.studies.study_rules import case_tables, same_codes
from afloc.feedback.studies.study_text import write_values
from afloc.files import one_at_a_time, whole_file
from afloc.imaging.file_tags import strip_tags

ENDING = ".toml"  # of a study's file
IMAGES = ".images"  # of the folder of images that were uploaded for it
UNUSED_SECONDS = 3600.0  # after which an uploaded image goes that no case shows
MOST_STUDIES, MOST_IMAGES = 500, 4000
NOT_WRITTEN = "The server cannot write to its folder for studies."
CHANGED = "Somebody else has changed this study since you opened it."
_LOCK = ".afloc-lock"


@dataclass(frozen=True)
class StudyText:
    """A study file as it is. `name`: of the file, without its ending. `token`: stands for the text."""

    name: str
    path: Path
    text: str
    values: Mapping[str, Any]
    problem: str = ""

    @property
    def token(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:24]


@dataclass
class _Known:
    """What was last read: `signature` of the folder, and what is served of it. `files`: the study of each."""

    signature: tuple | None = None
    studies: dict[str, Study] = field(default_factory=dict)
    files: dict[str, Study] = field(default_factory=dict)
    drafts: dict[str, str] = field(default_factory=dict)


class StudyFolder(Mapping[str, Study]):
    """The studies that are served, by id; safe among threads. SettingsError where one cannot be at the start.

    `folder` None: the demo alone. `with_demo`: the demo, too, where no file of the folder has its id.
    """

    def __init__(self, folder: Path | None, with_demo: bool = False):
        self.folder = folder
        self._demo = read_studies(FOLDER) if with_demo or folder is None else {}
        self._known, self._lock, self._writing = _Known(), threading.RLock(), threading.RLock()
        if folder is not None and folder.is_dir():
            read_studies(folder)
        self._current()

    def __getitem__(self, study_id: str) -> Study:
        return self._current().studies[study_id]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._current().studies))

    def __len__(self) -> int:
        return len(self._current().studies)

    @property
    def draft_codes(self) -> Mapping[str, str]:
        """The coordinator's code of each draft that is not sound yet, by the name of its file."""
        return self._current().drafts

    def names(self) -> list[str]:
        """The names of all study files, sound or not."""
        return sorted(path.stem for path in self._paths())

    def open(self, name: str) -> StudyText:
        """A study file; SettingsError where there is none."""
        path = self._path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SettingsError("There is no such study any more.") from None
        try:
            return StudyText(name, path, text, parse_values(text, path.name))
        except SettingsError as error:
            return StudyText(name, path, text, {}, str(error))

    def create(self, name: str, values: Mapping[str, Any], text: str = "") -> StudyText:
        """A new study file that says `values`, `text` changed to that.

        SettingsError where one has the name, or where an image lies outside of the folder.
        """
        if not NAME.fullmatch(name):
            raise SettingsError(f"The id {NAME_RULE}.")
        for key, case in case_tables(values):
            image = Path(str(case.get("image")))
            if image.is_absolute() or ".." in image.parts:
                raise SettingsError(f"{key}.image must be a file beside the study file.")
        with self._alone() as folder:
            if len(self._paths()) >= MOST_STUDIES:
                raise SettingsError(f"There are {MOST_STUDIES} studies: delete one first.")
            taken = {each.casefold() for each in (*self.names(), *self)}
            if name.casefold() in taken:
                raise SettingsError(f"There is a study {name!r} already: give this one another id.")
            self._write(folder / (name + ENDING), _written(values, text))
        return self.open(name)

    def save(self, name: str, token: str, values: Mapping[str, Any]) -> StudyText:
        """Have the file say `values`; ChangedError unless it still is what `token` stands for.

        SettingsError for an id or a code that another study has.
        """
        with self._alone():
            before = self.open(name)
            if before.token != token:
                raise ChangedError(CHANGED)
            self._check_beside_others(before.path, values)
            text = _written(values, "" if before.problem else before.text)
            if text != before.text:
                self._write(before.path, text)
            self._remove_unused(name, values)
        return self.open(name)

    def delete(self, name: str, token: str) -> None:
        """Remove the file and the images that were uploaded for it; ChangedError as `save`."""
        with self._alone():
            if self.open(name).token != token:
                raise ChangedError(CHANGED)
            self._path(name).unlink()
            shutil.rmtree(self.images(name), ignore_errors=True)

    def images(self, name: str) -> Path:
        """The folder of the images that were uploaded for a study."""
        return self._path(name).with_suffix(IMAGES)

    def add_image(self, name: str, path: Path) -> str:
        """Keep a copy of an image file for a study; its name as a case has it. ImageError for no image.

        It is named after its content, because the name that it had may be a patient's; so may be what the
        file says of itself (DICOM's tags, EXIF, texts), which does not come along.
        """
        self.open(name)
        content = strip_tags(path.read_bytes())
        kept = f"{hashlib.sha256(content).hexdigest()[:20]}{_suffix(path)}"
        folder = self.images(name)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileNotFoundError):  # another's save may remove it just now, as too old
                os.utime(folder / kept)  # it was just asked for
                return f"{folder.name}/{kept}"
            if sum(1 for _ in folder.iterdir()) >= MOST_IMAGES:
                raise DataError(f"A study has at most {MOST_IMAGES} images.")
            with whole_file(folder / kept) as written:
                written.write_bytes(content)
                written.chmod(0o600)
        except OSError:
            raise SettingsError(NOT_WRITTEN) from None
        return f"{folder.name}/{kept}"

    def check_images(self, name: str, values: Mapping[str, Any]) -> None:
        """AFLocError unless every image is an example, one that was uploaded for this study, or one that the
        file named before: no form leads to other files of the server."""
        known = {case.get("image") for _, case in case_tables(self.open(name).values)}
        own = f"{self.images(name).name}/"
        for key, case in case_tables(values):
            image = case.get("image")
            if not isinstance(image, str) or image in known or image.startswith("example:"):
                continue
            if not image.startswith(own) or not NAME.fullmatch(image.removeprefix(own)):
                raise DataError(f"{key}.image is no image that was uploaded for this study.")

    def _current(self) -> _Known:
        with self._lock:
            signature = self._signature()
            if signature != self._known.signature:
                self._known = self._read(signature)
            return self._known

    def _signature(self) -> tuple:
        found = []
        for path in self._paths():
            with suppress(OSError):
                state = path.stat()
                found.append((path.name, state.st_mtime_ns, state.st_size, state.st_ino))
        return tuple(found)

    def _read(self, signature: tuple) -> _Known:
        """What is served now. A study whose file has become faulty by hand stays as it was."""
        read = _Known(signature)
        for path in self._paths():
            try:
                values = read_values(path)
            except SettingsError:
                values = {}
            study, _ = study_of(values, path)
            if study is None and values.get("state") == DRAFT:
                if isinstance(code := values.get("coordinator"), str):
                    read.drafts[path.stem] = code
                continue
            study = study or self._known.files.get(path.name)
            if study and study.id not in read.studies and not same_codes((*read.studies.values(), study)):
                read.studies[study.id] = read.files[path.name] = study
        read.studies = {**self._demo, **read.studies}
        return read

    def _check_beside_others(self, path: Path, values: Mapping[str, Any]) -> None:
        study, _ = study_of(values, path)
        others = [study_of(self.open(each.stem).values, each)[0] for each in self._paths() if each != path]
        sound = [each for each in others if each]
        if study is None:
            return
        if study.id in {each.id for each in sound}:
            raise SettingsError(f"Another study has the id {study.id!r}: give this one another.")
        if same := same_codes((*sound, study)):
            raise SettingsError(f"{same} have one code: make new codes for one of the studies.")

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{ENDING}")) if self.folder and self.folder.is_dir() else []

    def _path(self, name: str) -> Path:
        if self.folder is None or Path(name).name != name or name[:1] in ("", ".") or "\0" in name:
            raise SettingsError("There is no such study any more.")
        return self.folder / (name + ENDING)

    def _write(self, path: Path, text: str) -> None:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600  # the codes are in it
        with whole_file(path) as written:
            written.write_text(text, encoding="utf-8")
            written.chmod(mode)

    def _remove_unused(self, name: str, values: Mapping[str, Any]) -> None:
        folder = self.images(name)
        used = {str(case.get("image")) for _, case in case_tables(values)}
        oldest = time.time() - UNUSED_SECONDS
        for path in folder.iterdir() if folder.is_dir() else ():
            with suppress(OSError):
                if f"{folder.name}/{path.name}" not in used and path.stat().st_mtime < oldest:
                    path.unlink()

    @contextmanager
    def _alone(self) -> Iterator[Path]:
        """One thread of one process at a time."""
        if self.folder is None:
            raise SettingsError(
                "This page has no folder for studies: whoever runs it can set AFLOC_STUDIES_DIR."
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._writing, one_at_a_time(self.folder / _LOCK):
                yield self.folder
        except OSError:
            raise SettingsError(NOT_WRITTEN) from None


def choose_folder(studies_dir: str | None, data_dir: str) -> Path:
    """The folder of the studies: the setting AFLOC_STUDIES_DIR or, without it, one in the data folder."""
    return Path(studies_dir) if studies_dir else Path(data_dir) / "studies"


def _written(values: Mapping[str, Any], text: str) -> str:
    try:
        return write_values(values, text)
    except ValueError:
        raise SettingsError("A value of this study cannot be kept in a file.") from None


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return suffix if NAME.fullmatch(suffix[1:] or "-") and len(suffix) <= 6 else ""
