"""What a long run is made of: parts, each written whole or not at all, so that a run that was killed goes on.

An engine is a function that does the waiting parts of a `Work`: `run_here`, one after the other, or
`on_ray.run_on_ray`. Parts can be done twice, at once or after one another: the last changes nothing.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from afloc.errors import DataError, ImageError, SettingsError
from afloc.imaging.image import Image, read_image


class Work(Protocol):
    """Images in numbered parts, and what is done with those of one part."""

    def paths(self, part: int) -> list[Path]:
        """The image files of a part."""

    def finish(self, part: int, images: Iterable[Image | ImageError]) -> None:
        """Answer for the images of a part, in the order of `paths`, and write what was found."""


Engine = Callable[[Work, list[int]], None]


def run_here(work: Work, waiting: list[int]) -> None:
    """Do the parts one after the other; an image is decoded while the one before it is looked at."""
    with tqdm(total=sum(len(work.paths(part)) for part in waiting), unit="image", disable=None) as progress:
        for part in waiting:
            work.finish(part, _counted(read_ahead(work.paths(part)), progress))


def read_ahead(paths: Iterable[Path]) -> Iterator[Image | ImageError]:
    """The image of each file in order, or why it cannot be read; the next one is decoded meanwhile."""
    with ThreadPoolExecutor(1) as reader:
        waiting: deque[Future] = deque()
        for path in paths:
            waiting.append(reader.submit(read_or_refuse, path))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        if waiting:
            yield waiting.popleft().result()


def read_or_refuse(path: Path) -> Image | ImageError:
    """The image of a file, or why it cannot be read."""
    try:
        return read_image(path)
    except ImageError as error:
        return error


def claim(folder: Path, identity: Mapping[str, str], written: Iterable[str]) -> None:
    """Make the folder this run's own; DataError where it holds another run, or files named as in `written`
    that are no run's."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "run.json"
    if note.is_file():
        try:
            found = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        for key, value in identity.items():
            if found.get(key) != value:
                raise DataError(
                    f"{folder.name} holds a run with another {key}: give another --out or remove it."
                )
    elif taken := [name for name in written if (folder / name).exists()]:
        raise DataError(f"{folder.name} holds a {taken[0]} that is not of such a run: give another --out.")
    else:
        write_text(note, json.dumps(dict(identity), indent=2))


def check_shard(shard: tuple[int, int]) -> None:
    number, count = shard
    if not 0 <= number < count:
        raise SettingsError(f"The shard must be I/N with 0 <= I < N, not {number}/{count}.")


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


def _counted(images: Iterator[Image | ImageError], progress: tqdm) -> Iterator[Image | ImageError]:
    for image in images:
        yield image
        progress.update()
