"""Images on their way in: bytes to the server, the shown pixels back, nothing on disk.

POST /afloc/images          takes the file as the body, or `?example=NAME`, or `?set=NAME&row=N`; answers with
                            the pixels (`ShownPixels`) and, in the header X-AFLoc-Image, JSON: `OpenedImage`,
                            width, height, aspect and how to read the pixels. With `again=true`, for an image
                            that the server dropped, it answers with the new token alone. `frame=N` takes
                            another frame than the first; `?of=TOKEN&frame=N` that of the file of an open
                            image, which need not be sent again (410 where the server dropped it).
                            `?study=UID&series=UID&instance=UID[&frame=N]` is an image of the PACS.
                            With `thumbnail=true` it answers with a small JPEG, and keeps nothing
DELETE /afloc/images/TOKEN  drops it
"""

import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from afloc.errors import ImageError
from afloc.imaging.burned_in import shows_text
from afloc.imaging.decoder_pool import WORKERS
from afloc.imaging.examples import EXAMPLES, load_example
from afloc.imaging.image import FIRST_FRAME, Image, read_image
from afloc.pacs.place import Place
from afloc.web.errors import NotFoundError, RefusedError, answering_errors
from afloc.web.paths import IMAGES
from afloc.web.routes.pacs import AuditedPacs
from afloc.web.routes.responses import read_body
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.open_images import OpenImages

OPENED_AT_ONCE = 2 * WORKERS  # in threads of their own: who waits for a decoder holds up nothing else
THUMBNAIL = 96  # pixels
TEXT_FOUND = (
    "There is text in a corner of this picture: look whether it names the patient before you share it."
)


@dataclass(frozen=True)
class ShownPixels:
    """What the browser gets of an image and windows by itself.

    `pixels`: gray ones as they were read, 8 or 16 bit; of colour ones with 16 bit, the windowed 8. `window`:
    the one they open with, in the values of `pixels`. `notes`: what is not shown of the image, in words.
    """

    pixels: np.ndarray
    window: tuple[float, float]
    notes: tuple[str, ...] = ()

    def describe(self) -> dict:
        """How to read the body: `channels` (1 or 3), `depth` (bits), `window` [low, high]."""
        channels = self.pixels[0, 0].size
        return {"channels": channels, "depth": 8 * self.pixels.itemsize, "window": list(self.window)}

    def to_body(self) -> bytes:
        """Row by row, interleaved, little-endian, compressed with gzip: nothing is lost on the way."""
        little = self.pixels.astype(self.pixels.dtype.newbyteorder("<"), copy=False)
        return gzip.compress(little.reshape(-1).view(np.uint8).data, compresslevel=1)


@dataclass(frozen=True)
class Measures:
    """What lengths in the picture mean: `spacing`, (row, column) mm, and the `plane` it holds in.

    `plane`: as of `Capture`. Nothing of the patient, the file or the day: readers of a study get it too.
    """

    spacing: tuple[float, float] | None
    plane: str | None


@dataclass(frozen=True)
class OpenedImage(Measures):
    """What the page is told of an image that it has opened, beside how to read its pixels.

    `projection`, `study_date`: as of `Capture`, for the stage; they stay in the page. `orientation`: as of
    `Image`, with its `source`, "file" where the file says any of it. `title`, `description`:
    of an example. `burned_in`: whether text is part of the picture; None where nothing says so.
    """

    token: str
    notes: tuple[str, ...]
    burned_in: bool | None
    projection: str | None
    study_date: str | None
    orientation: dict[str, str | None]
    frame: int = 0
    frames: int = 1
    title: str | None = None
    description: str | None = None


def measures_of(image: Image) -> Measures:
    return Measures(image.spacing, image.capture.plane)


def show_pixels(image: Image) -> ShownPixels:
    if image.pixels.ndim == 3 and image.pixels.dtype == np.uint16:
        return ShownPixels(image.rgb(), (0.0, 255.0), ("Colour of 16 bits a channel is shown with 8.",))
    return ShownPixels(image.pixels, image.window)


def pixels_response(image: Image, shown: ShownPixels, **about) -> Response:
    """The pixels as the browser takes them; the header says what they are, and `about`."""
    size = {"width": image.width, "height": image.height, "aspect": image.aspect}
    headers = _about(about | size | shown.describe()) | {"Content-Encoding": "gzip"}
    return Response(shown.to_body(), media_type="application/octet-stream", headers=headers)


def make_thumbnail(image: Image) -> bytes:
    """A JPEG of at most THUMBNAIL pixels a side, in the window that the image opens with."""
    step = max(1, max(image.width, image.height) // (4 * THUMBNAIL))
    small = replace(image, pixels=image.pixels[::step, ::step])
    shown, out = PIL.Image.fromarray(small.rgb()), io.BytesIO()
    tall = image.height * image.aspect
    scale = min(1.0, THUMBNAIL / max(image.width, tall))
    size = (max(1, round(scale * image.width)), max(1, round(scale * tall)))
    shown.resize(size, PIL.Image.Resampling.BOX).save(out, "JPEG", quality=80)
    return out.getvalue()


def _about(about: dict) -> dict[str, str]:
    return {"X-AFLoc-Image": json.dumps(about), "Cache-Control": "no-store"}


def _number(text: str) -> int:
    """A number in an address; -1, which nothing has, for anything else."""
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def image_routes(
    open_images: OpenImages, limit_mb: int, sets: Sets | None = None, pacs: AuditedPacs | None = None
) -> list[Route]:
    """The routes of images, opened into `open_images`. `limit_mb`: of a file. `sets` and `pacs`: where named
    images come from, each None where the server has none."""
    examples = {each.name: each for each in EXAMPLES}
    threads = CapacityLimiter(OPENED_AT_ONCE)

    def read(content: bytes, query: Mapping[str, str]) -> tuple[Image, dict]:
        """The image that is sent or named, and what is known of it beside: fields of `OpenedImage`."""
        name = query.get("example")
        if sets and "set" in query:
            return read_image(sets.row(query["set"], _number(query.get("row", ""))).path), {}
        if name is None:
            frame = _number(query.get("frame", "0"))
            image = read_image(content, frame)
            return image, {"frame": frame, "frames": image.frames}
        if name not in examples:
            raise ImageError(f"There is no such example; there are {', '.join(examples)}.")
        shown = examples[name]
        return load_example(name), {"title": shown.title, "description": shown.description}

    def fetch(content: bytes, query: Mapping[str, str]) -> tuple[bytes, Place | None]:
        """The file that is sent or, without one, named; and where in the PACS it is from."""
        if "of" in query:
            opened = open_images.get(query["of"])
            if opened is None or opened.file is None:
                raise RefusedError("The server no longer holds this file; please open it again.", 410)
            return opened.file, opened.place
        if "instance" not in query:
            return content, None
        if pacs is None:
            raise NotFoundError("This page has no PACS: whoever runs it can set AFLOC_DICOMWEB_URL.")
        place = Place(*(query.get(name, "") for name in ("study", "series", "instance")))
        return pacs.fetch(place), place

    def admit(content: bytes, query: Mapping[str, str]) -> Response:
        content, place = fetch(content, query)
        image, known = read(content, query)
        if query.get("thumbnail"):
            size = {"width": image.width, "height": image.height, "frames": image.frames}
            return Response(make_thumbnail(image), media_type="image/jpeg", headers=_about(size))
        file = content if known.get("frames", 1) > 1 else None
        token = open_images.add(image, file, place, known.get("frame", 0))
        if query.get("again"):  # the browser has the pixels
            return Response(headers=_about({"token": token}))
        notes = [note for note in image.notes if note != FIRST_FRAME or "frames" not in known]
        shown, burned_in = show_pixels(image), image.burned_in
        if burned_in is None and "example" not in query:
            burned_in = shows_text(shown.pixels, shown.window) or None
            notes += [TEXT_FOUND] * bool(burned_in)
        opened = OpenedImage(
            **vars(measures_of(image)),
            token=token,
            notes=(*notes, *shown.notes),
            burned_in=burned_in,
            projection=image.capture.projection,
            study_date=image.capture.study_date,
            orientation=vars(image.orientation)
            | {"source": "file" if any(vars(image.orientation).values()) else None},
            **known,
        )
        return pixels_response(image, shown, **vars(opened))

    @answering_errors
    async def open_image(request: Request) -> Response:
        content = await read_body(request, limit_mb)
        return await run_sync(admit, content, request.query_params, limiter=threads)

    async def drop_image(request: Request) -> Response:
        open_images.drop(request.path_params["token"])
        return Response(status_code=204)

    return [
        Route(IMAGES, open_image, methods=["POST"]),
        Route(IMAGES + "/{token}", drop_image, methods=["DELETE"]),
    ]
