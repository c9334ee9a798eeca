"""The files that a set names, found under the names that other tools write for them."""

import re
import unicodedata
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from afloc.errors import DataError

# What Label Studio puts before a file's own path: of its address, or of its folder on the disk.
_SERVED = re.compile(r"(.*\?d=|/?data/upload/(\d+/)?|.*/media/upload/(\d+/)?)")
_PREFIX = re.compile(r"(?=\d*[a-f])[0-9a-f]{8}-(?=.)")  # and before its name; eight digits may be a date
_PICTURES = "images"  # the folder that most tools put them into


class PictureFiles:
    """The files below a folder, by the names that a table of the set gives them.

    A path counts from the folder of the table. Where nothing lies there (the table was made on another
    computer, or lies beside the folder of its images), the file is searched for below `root`: by its bare
    name, or by as much of its path as both have. A file in another folder than the one named is never taken.
    """

    def __init__(self, folder: Path, root: Path | None = None, subset: str = ""):
        """`subset`: the name of the table; among files of one name those in a folder that it names."""
        self._folder, self._root, self._subset = folder, root or folder, subset
        self._found: dict[str, list[Path]] | None = None

    def find(self, name: str) -> Path:
        """The path of a file; one that is not there where nothing is found. DataError where several fit."""
        parts = path_parts(name)
        for path in (self._folder / name, self._folder.joinpath(*parts)):
            if is_file(path):
                return path
        if not parts:
            return self._folder / name
        fits = [path for path in self._called(parts[-1]) if self._agrees(path, parts)]
        for narrower in (self._in_subset, self._among_pictures):
            if len(fits) > 1:
                fits = list(filter(narrower, fits)) or fits
        if len(fits) > 1:
            raise DataError(f"several files are called {parts[-1]}: name it with its folder")
        return fits[0] if fits else self._folder.joinpath(*parts)

    def _called(self, name: str) -> list[Path]:
        if self._found is None:
            self._found = {}
            for path in sorted(self._root.rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    for key in dict.fromkeys((_key(path.name), _key(bare_name(path.name)))):
                        self._found.setdefault(key, []).append(path)
        for each in (name, bare_name(name)):
            if exact := [path for path in self._found.get(_key(each), []) if _key(path.name) == _key(each)]:
                return exact
        return self._found.get(_key(name), [])

    def _agrees(self, path: Path, parts: tuple[str, ...]) -> bool:
        """Whether the folders of a file and those of a name are the same, as far as both have some."""
        folders = zip(reversed(self._folders(path)), reversed(parts[:-1]), strict=False)
        return all(_key(one) == _key(other) for one, other in folders)

    def _folders(self, path: Path) -> tuple[str, ...]:
        return path.relative_to(self._root).parts[:-1]

    def _in_subset(self, path: Path) -> bool:
        return any(part in re.split(r"[\W_]", self._subset) for part in self._folders(path))

    def _among_pictures(self, path: Path) -> bool:
        return _PICTURES in self._folders(path)


def path_parts(name: str) -> tuple[str, ...]:
    """The parts of a path as any system writes it, or of an address of Label Studio's."""
    if served := _SERVED.match(name):
        name = unquote(name[served.end() :])
    parts = PurePosixPath(re.sub(r"^(file:|[A-Za-z]:)", "", name.strip()).replace("\\", "/")).parts
    return tuple(part for part in parts if part not in ("/", "//", "..") and "\0" not in part)


def bare_name(name: str) -> str:
    """A file name without the eight characters that Label Studio puts before it."""
    return _PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name


def _key(name: str) -> str:
    # Systems differ in how they write an umlaut, and in whether a.PNG is a.png.
    return unicodedata.normalize("NFC", name).casefold()


def is_file(path: Path) -> bool:
    """Whether there is such a file; False for a name that no file can have."""
    with suppress(OSError, ValueError):
        return path.is_file()
    return False
