"""Images on their way in: bytes to the server, the shown pixels back, nothing on disk.

POST /afloc/images          takes the file as the body, or `?example=NAME`, or `?set=NAME&row=N`; answers with
                            the pixels (`to_body`) and, in the header X-AFLoc-Image, JSON: token, width,
                            height, notes, spacing and what `describe_pixels` says
DELETE /afloc/images/TOKEN  drops it
"""

import gzip
import json
from collections.abc import Mapping

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from afloc.errors import AFLocError, ImageError
from afloc.imaging.examples import EXAMPLES, load_example
from afloc.imaging.image import Image, read_image
from afloc.web.errors import explain
from afloc.web.routes.responses import read_body
from afloc.web.state.dataset_runs import Sets
from afloc.web.state.open_images import ImageStore

PATH = "/afloc/images"


def shown_pixels(image: Image) -> tuple[np.ndarray, tuple[float, float]]:
    """The pixels the browser windows by itself, and the window they open with.

    Gray ones as they were read, 8 or 16 bit; of colour ones with 16 bit, the windowed 8.
    """
    if image.pixels.ndim == 3 and image.pixels.dtype == np.uint16:
        return image.rgb(), (0.0, 255.0)
    return image.pixels, image.window


def _lost(image: Image) -> list[str]:
    """What the browser is not shown of an image, in words."""
    shown, _ = shown_pixels(image)
    return [] if shown.dtype == image.pixels.dtype else ["Colour of 16 bits a channel is shown with 8."]


def describe_pixels(image: Image) -> dict:
    """How to read a body: `channels` (1 or 3), `depth` (bits), `window` [low, high] in stored values."""
    pixels, window = shown_pixels(image)
    return {"channels": image.pixels[0, 0].size, "depth": 8 * pixels.itemsize, "window": list(window)}


def to_body(image: Image) -> bytes:
    """The pixels row by row, interleaved, little-endian, compressed with gzip: nothing is lost on the way."""
    pixels, _ = shown_pixels(image)
    little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    return gzip.compress(little.reshape(-1).view(np.uint8), compresslevel=1)


def pixels_response(image: Image, **about) -> Response:
    """The pixels as the browser takes them; the header says what they are, and `about`."""
    about = about | {"width": image.width, "height": image.height, **describe_pixels(image)}
    headers = {
        "X-AFLoc-Image": json.dumps(about),
        "Cache-Control": "no-store",
        "Content-Encoding": "gzip",
    }
    return Response(to_body(image), media_type="application/octet-stream", headers=headers)


def image_routes(store: ImageStore, limit_mb: int, sets: Sets | None = None) -> list[Route]:
    examples = {each.name: each for each in EXAMPLES}

    def admit(content: bytes, query: Mapping[str, str]) -> Response:
        example = query.get("example")
        if sets and "set" in query:
            number = query.get("row", "")
            image = read_image(sets.row(query["set"], int(number) if number.isdecimal() else -1).path)
            about = {}
        elif example is None:
            image, about = read_image(content), {}
        elif example in examples:
            shown = examples[example]
            image, about = load_example(example), {"title": shown.title, "description": shown.description}
        else:
            raise ImageError(f"There is no such example; there are {', '.join(examples)}.")
        notes = {"notes": [*image.notes, *_lost(image)], "spacing": image.spacing}
        return pixels_response(image, **about, **notes, token=store.add(image))

    async def open_image(request: Request) -> Response:
        try:
            content = await read_body(request, limit_mb)
            return await run_in_threadpool(admit, content, request.query_params)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return JSONResponse({"error": explain(error)}, 422 if isinstance(error, AFLocError) else 500)

    async def drop_image(request: Request) -> Response:
        store.drop(request.path_params["token"])
        return Response(status_code=204)

    return [
        Route(PATH, open_image, methods=["POST"]),
        Route(PATH + "/{token}", drop_image, methods=["DELETE"]),
    ]
