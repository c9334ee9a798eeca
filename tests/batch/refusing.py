"""A job without a model, so that a worker of Ray starts at once."""

from dataclasses import dataclass
from pathlib import Path

from afloc.errors import DataError, ImageError


@dataclass(frozen=True)
class Refusing:
    """One image a chunk; refuses those that cannot be read, and marks the others as done."""

    images: tuple[Path, ...]

    def paths(self, chunk: int) -> list[Path]:
        return [self.images[chunk]]

    def finish(self, chunk: int, images) -> None:
        for path, image in zip(self.paths(chunk), images, strict=True):
            if isinstance(image, ImageError):
                raise DataError(f"{path.name}: {image}")
            path.with_suffix(".done").touch()
