"""Anatomy: where in an image a finding can lie, by textbooks. It never looks at the model.

A film has a frame (`afloc.imaging.lung_frame`), a finding its zones in that frame (`afloc.language.zones`); a
side or zone that the description names narrows them. What comes of it is the plausibility of each place,
which is 1 at the most plausible one and nowhere 0, for textbooks know no exceptions. Its logarithm is what a
place's prior odds add to the evidence of a map; so it takes away from implausible places, and adds to none.

There is none where the image has no frame to be trusted (it is turned, inverted, cropped, no frontal film),
where a description names something that the lists do not know, and for findings that may lie anywhere.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from scipy.special import expit

from afloc.imaging.geometry import Letterbox
from afloc.imaging.lung_frame import LungFrame, find_lung_frame
from afloc.inference.appearance import hangs_as_usual, known_appearance, shrink
from afloc.inference.picture import Picture
from afloc.language.findings import load_findings
from afloc.language.modalities import MODALITIES
from afloc.language.statements import Statement, placed_statements
from afloc.language.zones import load_zones

LEAST = 0.02  # the plausibility of a place that textbooks rule out
_MIDLINE = 0.1  # of the frame: how softly one side gives way to the other


class Anatomy:
    """The anatomy of one image. `picture`: the image as the model sees it, the patient's right on its left
    side. `usual`: False where something else speaks against a frame, as a file that says "lateral"."""

    def __init__(self, picture: Picture, modality: str, usual: bool = True):
        self._picture = picture
        self._modality = modality
        self._usual = usual

    @cached_property
    def frame(self) -> LungFrame | None:
        """The frame of a film; None where there is none to be trusted."""
        appearance = known_appearance(self._modality)
        if not (self._usual and MODALITIES[self._modality].laterality and appearance and appearance.layout):
            return None
        thumbnail, coarse = self._picture.thumbnails
        if not hangs_as_usual(shrink(coarse), appearance.layout):
            return None
        return find_lung_frame(thumbnail if thumbnail.ndim == 2 else thumbnail.mean(2))

    def knows(self, statements: Iterable[Statement]) -> bool:
        """Whether textbooks give a place to all that is stated, in an image that has a frame."""
        placed = placed_statements(statements)
        return bool(placed) and all(self._zones_of(each) for each in placed)

    def plausibility(
        self, statements: Iterable[Statement], across: np.ndarray, down: np.ndarray
    ) -> np.ndarray | None:
        """How plausible what is stated is at places of the image, LEAST … 1, float64 (rows, columns).

        `across` (columns,), `down` (rows,): shares of the image's width and height, from its top left; they
        may lie outside. None where anatomy says nothing.
        """
        statements = tuple(statements)
        if not self.knows(statements) or self.frame is None:
            return None
        placed = placed_statements(statements)
        x, y = self.frame.across(across), self.frame.down(down)[:, None]
        found = np.max([self._of(each, x, y) for each in placed], axis=0)
        return LEAST + (1 - LEAST) * found

    def log_odds(
        self, statements: Iterable[Statement], letterbox: Letterbox, cells: int
    ) -> np.ndarray | None:
        """The logarithm of `plausibility` for a map over the square that the encoder sees, float64 (cells,
        cells), at most 0."""
        places = (np.arange(cells) + 0.5) / cells * letterbox.size
        across = (places - letterbox.left) / letterbox.inner_width
        down = (places - letterbox.top) / letterbox.inner_height
        found = self.plausibility(statements, across, down)
        return None if found is None else np.log(found)

    def _of(self, said: Statement, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The plausibility of one statement at places of the frame, 0 … 1: the mean of the finding's zones,
        where the description's zone and side are."""
        zones = load_zones(self._modality)
        found = np.mean([zones[name].at(x, y) for name in self._zones_of(said)], axis=0)
        if named := [zones[name] for name in said.zones if name in zones]:
            found = found * np.max([zone.at(x, y) for zone in named], axis=0)
        if said.side in ("left", "right"):
            found = found * expit((x if said.side == "left" else -x) / _MIDLINE)
        return found / max(found.max(), np.finfo(float).tiny)

    def _zones_of(self, said: Statement) -> Sequence[str]:
        entry = load_findings(self._modality).get(said.finding_id)
        return entry.zones if entry else ()
