"""Arguments that several commands share."""

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.errors import SettingsError

if TYPE_CHECKING:
    from afloc.batch.execution import Execution

from afloc.language.modalities import MODALITIES

TABLES = (".csv", ".parquet")
DEVICES = ("auto", "cpu", "cuda")


def add_image(parser: argparse.ArgumentParser, also: str = "") -> None:
    parser.add_argument(
        "image", metavar="IMAGE", type=Path, help=f"a DICOM, PNG, JPEG, TIFF or WebP file{also}"
    )
    parser.add_argument(
        "--frame",
        type=int,
        default=0,
        metavar="N",
        help="which picture of a file that holds several, from 0 (default: 0)",
    )
    add_modality(parser)


def add_modality(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--modality",
        choices=tuple(MODALITIES),
        help="what the image is (default: recognised)",
    )


def add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shard", default="0/1", metavar="I/N", help="do one of N shares, I from 0 (default: 0/1)"
    )
    parser.add_argument(
        "--engine",
        choices=("plain", "ray"),
        default="plain",
        help="what does the work (default: this process)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="of Ray (default: one for each core or, with --device cuda, GPU)",
    )


def read_execution(arguments: argparse.Namespace) -> "Execution":
    """What `add_batch` and `add_model` asked for."""
    from afloc.batch.execution import Execution

    return Execution(read_shard(arguments.shard), arguments.engine, arguments.workers, arguments.device)


def read_shard(text: str) -> tuple[int, int]:
    """ "I/N" as (I, N), 0 <= I < N."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or int(match[1]) >= int(match[2]):
        raise SettingsError(f"--shard is {text!r}; it takes I/N, I from 0 to N - 1.")
    return int(match[1]), int(match[2])


def add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol",
        choices=("native", "paper"),
        default="native",
        help="native: fixed scales; paper: what the released AFLoc code computes (default: native)",
    )


def add_model(
    parser: argparse.ArgumentParser, several: bool = False, default_device: str | None = "auto"
) -> None:
    parser.add_argument(
        "--model",
        action="append" if several else "store",
        help="a model folder, a released .ckpt or hf:owner/name (default: the embedded model)"
        + ("; give it several times to compare" if several else ""),
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default=default_device,
        help="where the model runs (default: auto)",
    )


def quiet() -> None:
    """Keep the libraries' own messages off stderr, which belongs to our one sentence."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    for name in ("transformers", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs, 1 to 1000")
    return int(text)


def number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value
