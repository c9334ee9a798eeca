"""An image while it is opened: windowed once and shrunk once, for all who look at it."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from afloc.imaging.geometry import area_resize_several
from afloc.imaging.image import Image

SIDE, COARSE_SIDE = 64, 16


class Picture:
    """`shown` and `thumbnails` of an image are worked out when they are first asked for, and kept."""

    def __init__(self, image: Image):
        self._image = image

    def mirrored(self) -> "Picture":
        """The image turned over, left to right; its pixels are not copied."""
        return Picture(replace(self._image, pixels=self._image.pixels[:, ::-1]))

    @property
    def is_gray(self) -> bool:
        """Whether it has one channel; an image with three may look gray too."""
        return self._image.pixels.ndim == 2

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._image.height, self._image.width

    @property
    def aspect(self) -> float:
        """Its long side over its short side, as it is shown."""
        ratio = self._image.height * self._image.aspect / self._image.width
        return max(ratio, 1 / ratio)

    @cached_property
    def shown(self) -> Image:
        """The image with its window applied to the pixels: 8 bits, from black at 0 to white at 255."""
        pixels = self._image.gray() if self.is_gray else self._image.rgb()
        return replace(self._image, pixels=pixels, window=(0.0, 255.0))

    @cached_property
    def thumbnails(self) -> tuple[np.ndarray, np.ndarray]:
        """The whole image at 64 x 64 and at 16 x 16, its proportions lost: uint8 (S, S) or (S, S, 3)."""
        large, small = area_resize_several(self.shown.pixels, [(SIDE, SIDE), (COARSE_SIDE, COARSE_SIDE)])
        return large, small

    def forget_shown(self) -> None:
        """Give back the memory of `shown`, which is as large as the image."""
        self.__dict__.pop("shown", None)
