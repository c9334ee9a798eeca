"""The process that decodes: `python -m afloc.imaging.decoder_process`, started and asked by `decoder_pool`.

It ends when the process that started it does, for its input ends then; a file it is busy with has its time.
"""

import contextlib
import os
import signal
import threading
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from afloc.errors import ImageError
from afloc.imaging import image
from afloc.imaging.decoder_pool import LARGE, MEMORY, OUT_OF_MEMORY, receive, send
from afloc.imaging.image import ACCEPTED, MAX_BYTES, TOO_LARGE, Header, Image, is_dicom
from afloc.imaging.raster import raster_header, read_raster, read_raster_mask

DAMAGED = f"The image is damaged or incomplete: export it again as {ACCEPTED}."


def decode(data: bytes, frame: int = 0) -> Image:
    """A frame of the image in a file's bytes. Raises ImageError, and whatever a decoder raises."""
    if is_dicom(data):
        from afloc.imaging.dicom import read_dicom  # pydicom is slow to import, and most images are no DICOM

        return read_dicom(data, frame)
    return read_raster(data, frame)


def decode_mask(data: bytes) -> Any:
    """bool (H, W): where the image, as it is stored, is not zero. Raises as `decode`."""
    if is_dicom(data):
        from afloc.imaging.dicom import read_dicom_mask

        return read_dicom_mask(data)
    return read_raster_mask(data)


def header_of(path: str) -> Header:
    """Of the image in a file. Raises as `decode`."""
    with open(path, "rb") as file:
        start = file.read(132)
        file.seek(0)
        if not is_dicom(start):
            return raster_header(file)
        from afloc.imaging.dicom import dicom_header

        return dicom_header(file)


def answer(request: dict[str, Any], content: bytes) -> tuple[dict[str, Any], Any]:
    """What is sent back: about the image, and its pixels where they were asked for."""
    if request["task"] == "header":
        return vars(header_of(os.fsdecode(content))), b""
    if request["task"] == "mask":
        marked = decode_mask(content).astype("uint8")
        return {"shape": marked.shape, "dtype": marked.dtype.name}, marked.reshape(-1)
    read = decode(content, request["frame"])
    about: dict[str, Any] = {"shape": read.pixels.shape, "dtype": read.pixels.dtype.name}
    about |= {"window": read.window, "notes": read.notes, "spacing": read.spacing, "aspect": read.aspect}
    about |= {"orientation": vars(read.orientation), "frames": read.frames, "burned_in": read.burned_in}
    about |= {"capture": vars(read.capture)}
    return about, read.pixels.reshape(-1).view("uint8").data


def limit_this_process() -> None:
    """Take memory, files and core dumps from this process, as far as the system can."""
    try:
        import resource
    except ImportError:  # Windows: the time limit alone
        return
    limits = {"RLIMIT_AS": MEMORY, "RLIMIT_DATA": MEMORY, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}
    for name, most in limits.items():
        try:
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
        except (AttributeError, ValueError, OSError):  # macOS has names for limits it does not keep
            continue


def die_first() -> None:
    """Where memory runs out, Linux ends this process before the one that asks it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def set_time(seconds: float) -> None:
    """End this process once it has computed for so long; 0 for never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def main() -> None:
    jobs, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):  # some decoders print
        os.dup2(nothing, stream)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    warnings.simplefilter("ignore")
    limit_this_process()
    die_first()
    asks = False  # whether the picture at hand waits for room, if it is a large one

    def wait_for_room(pixels: int) -> None:
        nonlocal asks
        if asks and pixels > LARGE:
            asks = False
            send(replies, {"pixels": pixels})
            receive(jobs, 0)

    image.before_decoding = wait_for_room
    send(replies, {})  # ready
    threading.Thread(target=import_module, args=("afloc.imaging.dicom",), daemon=True).start()
    while True:
        try:
            request, content = receive(jobs, MAX_BYTES)
        except EOFError:
            return
        asks = request["task"] != "header"
        set_time(request["seconds"])
        try:
            reply = answer(request, content)
        except ImageError as error:
            reply = {"error": str(error)}, b""
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except Exception as error:  # decoders raise anything on a damaged file, RecursionError included
            bomb = type(error).__name__ == "DecompressionBombError"
            reply = {"error": TOO_LARGE if bomb else DAMAGED}, b""
        del content
        send(replies, *reply)
        del reply
        set_time(0)


if __name__ == "__main__":
    main()
