"""Images on their way in: bytes to the server, the shown pixels back, nothing on disk.

POST /afloc/images          takes the file as the body, or `?example=NAME`; answers with the pixels as a
                            lossless PNG and, in the header X-AFLoc-Image, JSON: token, width, height, notes
DELETE /afloc/images/TOKEN  drops it
"""

import functools
import io
import json

import PIL.Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from afloc.errors import ImageError
from afloc.examples import EXAMPLES
from afloc.images import Image, read_image
from afloc.web.answers import explain
from afloc.web.store import ImageStore

PATH = "/afloc/images"


def to_png(image: Image) -> bytes:
    """The image as shown, windowed to 8 bit, at full size and without loss."""
    pixels = image.gray() if image.pixels.ndim == 2 else image.rgb()
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


async def read_body(request: Request, limit_mb: int) -> bytes:
    """The body, refused with ImageError as soon as it grows past the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_mb << 20:
            raise ImageError(f"The file is larger than {limit_mb} MB; please open a smaller one.")
    return bytes(body)


def image_routes(store: ImageStore, limit_mb: int) -> list[Route]:
    examples = {each.name: each for each in EXAMPLES}
    load_example = functools.cache(lambda name: examples[name].load())

    def admit(content: bytes, example: str | None) -> Response:
        if example is None:
            image, about = read_image(content), {}
        elif example in examples:
            shown = examples[example]
            image, about = load_example(example), {"title": shown.title, "description": shown.description}
        else:
            raise ImageError(f"There is no such example; there are {', '.join(examples)}.")
        about = about | {
            "token": store.add(image),
            "width": image.width,
            "height": image.height,
            "notes": list(image.notes),
        }
        headers = {"X-AFLoc-Image": json.dumps(about), "Cache-Control": "no-store"}
        return Response(to_png(image), media_type="image/png", headers=headers)

    async def open_image(request: Request) -> Response:
        try:
            content = await read_body(request, limit_mb)
            return await run_in_threadpool(admit, content, request.query_params.get("example"))
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return JSONResponse({"error": explain(error)}, 422 if isinstance(error, ImageError) else 500)

    async def drop_image(request: Request) -> Response:
        store.drop(request.path_params["token"])
        return Response(status_code=204)

    return [
        Route(PATH, open_image, methods=["POST"]),
        Route(PATH + "/{token}", drop_image, methods=["DELETE"]),
    ]
