"""A long job over images, cut into chunks that are each written whole or not at all.

A job that was killed goes on with the chunks that are missing. A runner is a function that does the waiting
chunks of a job: `run_here`, one after the other, or `on_ray.run_on_ray`. A chunk may be done twice, at once
or one after the other: the second time changes nothing.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from afloc.errors import DataError, ImageError, SettingsError
from afloc.files import write_text
from afloc.imaging.image import Image, read_image


class Job(Protocol):
    """Images in numbered chunks, and what is done with the images of a chunk."""

    def paths(self, chunk: int) -> list[Path]:
        """The image files of a chunk."""

    def finish(self, chunk: int, images: Iterable[Image | ImageError]) -> None:
        """Process the images of a chunk, in the order of `paths`, and write the results."""


Runner = Callable[[Job, list[int]], None]


def run_here(job: Job, waiting: list[int]) -> None:
    """Do the chunks one after the other. The next image is decoded while the model looks at this one."""
    with tqdm(total=sum(len(job.paths(chunk)) for chunk in waiting), unit="image", disable=None) as progress:
        for chunk in waiting:
            job.finish(chunk, _counted(read_ahead(job.paths(chunk)), progress))


def read_ahead(paths: Iterable[Path]) -> Iterator[Image | ImageError]:
    """The image of each file in order, or the reason why it cannot be read; the next one is being decoded."""
    with ThreadPoolExecutor(1) as reader:
        waiting: deque[Future] = deque()
        for path in paths:
            waiting.append(reader.submit(read_or_refuse, path))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        if waiting:
            yield waiting.popleft().result()


def read_or_refuse(path: Path) -> Image | ImageError:
    """The image of a file, or the reason why it cannot be read."""
    try:
        return read_image(path)
    except ImageError as error:
        return error


def bind_run_folder(folder: Path, identity: Mapping[str, str], written: Iterable[str]) -> None:
    """Make `folder` the folder of this run: `run.json` in it then holds the run's `identity`.

    DataError where it holds another run, or has no `run.json` but files that a run would write (`written`).
    """
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
    """SettingsError unless `shard` is (number, of how many), numbers from 0."""
    number, count = shard
    if not 0 <= number < count:
        raise SettingsError(f"The shard must be I/N with 0 <= I < N, not {number}/{count}.")


def _counted(images: Iterator[Image | ImageError], progress: tqdm) -> Iterator[Image | ImageError]:
    for image in images:
        yield image
        progress.update()
