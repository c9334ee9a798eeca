"""Films to open as a list: twenty of the evaluation set where that is at hand, drawn ones elsewhere."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import PIL.Image

from afloc.imaging.examples import EXAMPLES

DATA = Path(os.environ.get("AFLOC_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
EVALUATED = DATA / "chest_xray"


def draw_films(folder: Path, count: int) -> list[Path]:
    """The drawn film, each time with other noise and another size: film-1.png, film-2.png, …"""
    folder.mkdir(parents=True, exist_ok=True)
    drawn, paths = EXAMPLES[0].load().gray(), []
    for number in range(1, count + 1):
        noise = np.random.default_rng(number).integers(-9, 10, drawn.shape)
        film = PIL.Image.fromarray(np.clip(drawn + noise, 0, 255).astype(np.uint8))
        paths.append(folder / f"film-{number}.png")
        film.resize((500 + number, 500)).save(paths[-1])
    return paths


def copy_films(folder: Path, count: int) -> list[Path]:
    """Films of the evaluation set with something marked on them: film-1.jpg, film-2.jpg, …"""
    folder.mkdir(parents=True, exist_ok=True)
    with open(EVALUATED / "eval.csv", encoding="utf-8", newline="") as table:
        marked = [EVALUATED / row["image"] for row in csv.DictReader(table) if row["boxes"] not in ("", "[]")]
    paths = [folder / f"film-{n}{path.suffix}" for n, path in enumerate(marked[: 3 * count : 3], 1)]
    for path, target in zip(marked[: 3 * count : 3], paths, strict=True):
        shutil.copyfile(path, target)
    return paths
