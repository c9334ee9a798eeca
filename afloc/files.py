"""Files and folders that appear whole or not at all.

They are written in a temporary folder on the same disk and moved in place at the end. An error in between
leaves what was there before, and no temporary folder.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_beside(path: Path, alone: bool = False) -> Iterator[Path]:
    """A temporary folder beside `path`, removed at the end.

    `alone`: True where only one process at a time writes `path`. The temporary folder then has a fixed name,
    and what a killed process left there is removed first.
    """
    if alone:
        folder = path.with_name(f".writing-{path.name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    else:
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def whole_file(path: Path, alone: bool = False) -> Iterator[Path]:
    """Give the path to write to; at the end of the block the file takes the place of `path`.

    `alone`: as of `folder_beside`. Without it several processes may write `path` at once: the last one stays.
    """
    with folder_beside(path, alone) as folder:
        yield folder / path.name
        (folder / path.name).replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; at the end of the block it becomes `path`.

    Several processes may write the same folder at once: the first one stays. OSError where `path` is a file.
    """
    with folder_beside(path) as folder:
        written = folder / path.name
        written.mkdir()
        yield written
        try:
            written.rename(path)
        except OSError:  # another process was faster
            if not path.is_dir():
                raise


def write_text(path: Path, text: str) -> None:
    """Write `text` and a line end in UTF-8, whole or not at all."""
    with whole_file(path) as written:
        written.write_text(text + "\n", encoding="utf-8")
