"""How many pictures raise a doubt, by kind: what docs/evaluation.md shows.

`python -m tests.inference.doubt_table DATA [MODEL]` looks at the evaluation images of each modality and
source (DATA/<modality>/eval.csv), at pictures that are none of the three, and at films that are turned or
altered.
"""

import csv
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from afloc.imaging.image import Image, read_image
from afloc.inference.model import Model, load_model
from afloc.language.modalities import MODALITIES
from tests.inference.strangers import altered, strangers, turned

FILMS = 40  # evaluation films to turn and alter


def main(data: Path, source: str | None = None) -> None:
    model = load_model(source, image_cache_bytes=0)
    table = {}
    for modality in MODALITIES:
        images = list(_evaluation_images(data, modality))
        by_source = defaultdict(list)
        for origin, image in images:
            by_source[origin].append(image)
        table |= {f"{modality}: {origin}": _degrees(model, these) for origin, these in by_source.items()}
        table[f"{modality}: all"] = [each for origin in by_source for each in table[f"{modality}: {origin}"]]
    films = [image for _, image in _evaluation_images(data, "chest_xray")]
    chosen = [films[i] for i in np.random.default_rng(0).permutation(len(films))[:FILMS]]
    for change in (turned, altered):
        by_kind = defaultdict(list)
        for film in chosen:
            for kind, image in change(film).items():
                by_kind[kind].append(image)
        table |= {f"a film {kind}": _degrees(model, these) for kind, these in by_kind.items()}
    others = {f"not one: {kind}": _degrees(model, images) for kind, images in strangers().items()}
    others["not one: all"] = sum(others.values(), [])
    print(f"{'':40} {'images':>6} {'stopped':>8} {'banner':>8} {'either':>8}")
    for kind, degrees in (table | others).items():
        stopped, banner = (degrees.count(degree) / len(degrees) for degree in ("stopped", "unusual"))
        print(f"{kind:40} {len(degrees):6} {stopped:8.1%} {banner:8.1%} {stopped + banner:8.1%}")
    _print_cost(model, chosen)


def _evaluation_images(data: Path, modality: str) -> Iterator[tuple[str, Image]]:
    with open(data / modality / "eval.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["source"].split(" ")[0], read_image(data / modality / row["image"])


def _degrees(model: Model, images: Iterable[Image]) -> list[str | None]:
    doubts = [model.encode(image).doubt for image in images]
    return [each.degree if each else None for each in doubts]


def _print_cost(model: Model, films: list[Image]) -> None:
    encoding, doubting = [], []
    for film in films:
        began = time.perf_counter()
        view = model.encode(film)
        encoded = time.perf_counter()
        view.doubt  # noqa: B018  # worked out when it is first asked for
        encoding.append(encoded - began)
        doubting.append(time.perf_counter() - encoded)
    encoded, doubted = (1e3 * np.median(seconds) for seconds in (encoding, doubting))
    print(f"median of {len(films)} films: encoded in {encoded:.1f} ms, doubt in {doubted:.1f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
