"""The images of open pages: each under a random token, in memory only, for as long as its page uses it."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from afloc.imaging.image import Image
from afloc.inference.model import Model
from afloc.inference.view import View
from afloc.pacs.place import Place

IDLE_SECONDS = 30 * 60
FEATURE_BYTES = 8 << 20  # what an encoded view keeps beside the pixels, generously


@dataclass
class OpenImage:
    """An image someone has open, and its views by modality; encoded when first asked for.

    `file`: the bytes it was read from, of a file that holds further frames. `place`: where it is in the PACS
    that it was opened from. `frame`: which one of the file it is.
    """

    image: Image
    file: bytes | None = field(default=None, repr=False)
    place: Place | None = None
    frame: int = 0
    views: dict[str | None, View] = field(default_factory=dict)
    last_used: float = 0.0

    @property
    def size(self) -> int:
        return self.image.pixels.nbytes + len(self.file or b"") + FEATURE_BYTES

    def view(self, model: Model, modality: str | None) -> View:
        """The image as the model sees it; `modality` None has it recognised."""
        if modality not in self.views:
            self.views[modality] = model.encode(self.image, modality=modality)
        return self.views[modality]


class OpenImages:
    """Open images by token. The longest unused go first when memory or time runs out.

    A token is 128 random bits and the only way to an image: who was not given it cannot address it.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic):
        """`capacity` in bytes."""
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._images: OrderedDict[str, OpenImage] = OrderedDict()

    def add(self, image: Image, file: bytes | None = None, place: Place | None = None, frame: int = 0) -> str:
        """The new token of an image, and of the file whose other frames may be asked for. The newest image
        stays whatever its size."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._images[token] = OpenImage(image, file, place, frame, last_used=self._clock())
            self._drop_stale()
        return token

    def get(self, token: str) -> OpenImage | None:
        """The image of a token, or None once it is gone."""
        with self._lock:
            self._drop_stale()
            found = self._images.get(token)
            if found:
                found.last_used = self._clock()
                self._images.move_to_end(token)
            return found

    def drop(self, token: str) -> None:
        with self._lock:
            self._images.pop(token, None)

    def sweep(self) -> None:
        """Drop the images that nobody used for IDLE_SECONDS, also where nobody uses others."""
        with self._lock:
            self._drop_stale()

    def _drop_stale(self) -> None:
        used = sum(each.size for each in self._images.values())
        oldest_allowed = self._clock() - IDLE_SECONDS
        for token, each in list(self._images.items()):
            full = used > self._capacity and len(self._images) > 1
            if each.last_used >= oldest_allowed and not full:
                break
            used -= each.size
            del self._images[token]
