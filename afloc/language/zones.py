"""Zones: the parts of an image in which findings lie, as numbers, so that a map can be held against them.

They are drawn by textbook anatomy, in a frame that is found on each image; no annotation is used.
`assets/findings/zones.toml` has them, and says what the numbers are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from afloc.errors import DataError
from afloc.resources import ASSETS
from afloc.schema import CLOSED, check, read_toml

if TYPE_CHECKING:
    import numpy as np

FILE = ASSETS / "findings" / "zones.toml"

_Length = Annotated[float, Field(gt=0, le=5)]
_Place = Annotated[float, Field(ge=-5, le=5)]


@dataclass(frozen=True)
class Zone:
    """A part of an image in the frame of its modality: a Gaussian around (x, y) with the standard deviations
    `width` and `height`. `paired`: it lies at -x, too."""

    __pydantic_config__ = CLOSED

    x: _Place
    y: _Place
    width: _Length
    height: _Length
    paired: bool = False

    def at(self, x: "np.ndarray", y: "np.ndarray") -> "np.ndarray":
        """How much places of the frame belong to it, 0 … 1; `x` and `y` broadcast."""
        import numpy as np

        across = (np.abs(x) if self.paired else x) - self.x
        return np.exp(-((across / self.width) ** 2 + ((y - self.y) / self.height) ** 2) / 2)


@cache
def load_zones(modality: str) -> Mapping[str, Zone]:
    """The zones of a modality by name; none where its findings have no place of their own. DataError for a
    file that is missing or malformed."""
    tables = read_toml(FILE, f"The zones of findings are missing: put back {FILE.name}.")
    return check(dict[str, dict[str, Zone]], tables, FILE.name, DataError).get(modality, {})
