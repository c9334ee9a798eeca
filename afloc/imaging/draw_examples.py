"""Draw the example images that nobody took: `python -m afloc.imaging.draw_examples` writes assets/examples.

Drawing takes a second, which each start of the page would wait for.
"""

from collections.abc import Callable

import numpy as np
import PIL.Image
from skimage import data

from afloc.imaging.chest_phantom import draw_chest_film
from afloc.imaging.examples import drawn_file
from afloc.imaging.fundus_lesions import draw_exudates

DRAWN: dict[str, Callable[[], np.ndarray]] = {
    "chest_film": draw_chest_film,
    "exudates": lambda: draw_exudates(data.retina(), centre=(705, 705), radius=160),
}


def main() -> None:
    for name, draw in DRAWN.items():
        path = drawn_file(name)
        path.parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(draw()).save(path, optimize=True)


if __name__ == "__main__":
    main()
