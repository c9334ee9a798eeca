"""Pictures that are none of the three modalities, by kind, drawn from fixed seeds or taken from the test data
of scikit-image, scikit-learn and pydicom; and what people do to a chest film."""

from functools import cache

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from pydicom.data import get_testdata_file
from scipy.ndimage import gaussian_filter, rotate
from skimage import data
from skimage.transform import resize
from sklearn.datasets import load_sample_image

from afloc.imaging.image import Image, image_from_array, read_image

PHOTOGRAPHS = (
    "astronaut",
    "coffee",
    "chelsea",
    "rocket",
    "camera",
    "moon",
    "clock",
    "coins",
    "hubble_deep_field",
)
TEXTURES = "brick", "grass", "gravel", "cell"
COLOURS = (0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 60, 30), (230, 160, 200), (20, 90, 200)
PRINT = "page", "text", "checkerboard", "colorwheel", "horse", "logo"


@cache
def strangers() -> dict[str, list[Image]]:
    """Pictures that a model of the three modalities cannot know, by kind."""
    random = np.random.default_rng(0)
    photographs = [getattr(data, name)() for name in PHOTOGRAPHS]
    drawn = {
        "photographs": [*photographs, load_sample_image("china.jpg"), load_sample_image("flower.jpg")],
        "gray photographs": [each.mean(2).astype(np.uint8) for each in photographs if each.ndim == 3],
        "textures": [getattr(data, name)() for name in TEXTURES],
        "print and graphics": [_pixels(getattr(data, name)()) for name in PRINT],
        "screenshots": [draw_screenshot(random, dark) for dark in (False, True) * 3],
        "drawings": [draw_drawing(random, colour) for colour in (False, True) * 3],
        "CT": [draw_ct(random) for _ in range(5)],
        "MR": [draw_mr(random) for _ in range(5)],
        "ultrasound": [draw_ultrasound(random, doppler) for doppler in (False, True) * 3],
        "noise": [draw_noise(random, power, colour) for power in (0, 1, 2) for colour in (False, True)],
        "gradients": draw_gradients(),
        "one colour": [np.full((256, 256, 3), colour, np.uint8) for colour in COLOURS],
    }
    pictures = {kind: [image_from_array(each) for each in these] for kind, these in drawn.items()}
    for kind in ("CT", "MR"):
        pictures[kind].append(read_image(get_testdata_file(f"{kind}_small.dcm", download=False)))
    return pictures


def turned(film: Image) -> dict[str, Image]:
    """A film turned by 90, 180 and 270 degrees."""
    return {f"turned by {90 * quarters}": _film(np.rot90(film.gray(), quarters)) for quarters in (1, 2, 3)}


def altered(film: Image) -> dict[str, Image]:
    """A film that is still a frontal film, as people send it."""
    gray = film.gray()
    height, width = gray.shape
    return {
        "inverted": _film(255 - gray),
        "mirrored": _film(gray[:, ::-1]),
        "tilted by 20": _film(rotate(gray, 20, reshape=False, order=1)),
        "one lung": _film(gray[:, : width // 2]),
        "the lower half": _film(gray[height // 2 :]),
        "the middle": _film(gray[height // 5 : -height // 5, width // 5 : -width // 5]),
        "on a wide black screen": _film(np.pad(gray, ((height // 10,) * 2, (width // 2,) * 2))),
        "dark": _film((255 * (gray / 255.0) ** 3).astype(np.uint8)),
        "bright": _film((255 * (gray / 255.0) ** 0.4).astype(np.uint8)),
        "flat": _film((100 + gray * 0.15).astype(np.uint8)),
        "16 pixels a side": _film(resize(gray, (16, 16), preserve_range=True).astype(np.uint8)),
        "squashed to 400 x 40": _film(resize(gray, (40, 400), preserve_range=True).astype(np.uint8)),
    }


def draw_screenshot(random: np.random.Generator, dark: bool) -> np.ndarray:
    """A window with a bar, lines of words and sometimes a table, uint8 (H, W, 3)."""
    width, height = (int(n) for n in random.integers((500, 400), (1000, 800)))
    paper, ink = (30, 230) if dark else (250, 20)
    picture = Pillow.new("RGB", (width, height), (paper,) * 3)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(int(random.integers(11, 22)))
    draw.rectangle((0, 0, width, 30), fill=tuple(int(n) for n in random.integers(40, 220, 3)))
    line = 1.5 * font.size
    for row in range(int((height - 50) / line)):
        if random.random() < 0.2:
            continue
        words = ["".join(chr(c) for c in random.integers(97, 123, n)) for n in random.integers(2, 9, 20)]
        words = words[: int(random.integers(3, 20))]
        draw.text((20, 40 + row * line), " ".join(words), fill=(ink,) * 3, font=font)
    if random.random() < 0.5:
        left, top = width // 2, height // 2
        draw.rectangle(
            (left, top, width - 20, height - 20), fill=tuple(int(n) for n in random.integers(0, 255, 3))
        )
    return np.asarray(picture)


def draw_drawing(random: np.random.Generator, colour: bool) -> np.ndarray:
    """Ellipses, boxes and lines on white, uint8 (400, 400, 3)."""
    picture = Pillow.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(4, 16))):
        x, y, w, h = (int(n) for n in random.integers(10, 250, 4))
        fill = tuple(int(n) for n in random.integers(0, 255, 3)) if colour else None
        shape = random.choice(["ellipse", "rectangle", "line"])
        if shape == "line":
            draw.line((x, y, x + w, y + h), fill=fill or "black", width=4)
        else:
            getattr(draw, shape)((x, y, x + w, y + h), outline="black", width=3, fill=fill)
    return np.asarray(picture)


def draw_ct(random: np.random.Generator) -> np.ndarray:
    """A slice through a chest: two dark lungs in a gray oval on black, spine and ribs white."""
    rows, columns = np.mgrid[-1:1:320j, -1:1:320j]
    wide, high = random.uniform(0.75, 0.95), random.uniform(0.5, 0.75)

    def oval(x, y, w, h):
        return ((columns - x) / w) ** 2 + ((rows - y) / h) ** 2 < 1

    slice_ = np.zeros((320, 320))
    slice_[oval(0, 0, wide, high)] = 0.35
    slice_[oval(0, 0, wide * 0.93, high * 0.9)] = 0.5
    for side in (-1, 1):
        lung = oval(
            side * wide * 0.45, -0.02, wide * random.uniform(0.28, 0.38), high * random.uniform(0.55, 0.75)
        )
        slice_[lung] = 0.1
    slice_[oval(0.08, -0.1, 0.2, 0.18)] = 0.6  # the heart
    slice_[oval(0, high * 0.65, 0.11, 0.12)] = 0.95
    for angle in np.linspace(0, 2 * np.pi, 16):
        slice_[oval(wide * 0.85 * np.cos(angle), high * 0.82 * np.sin(angle), 0.05, 0.03)] = 0.9
    return _bytes(gaussian_filter(slice_, 1) + random.normal(0, 0.03, slice_.shape))


def draw_mr(random: np.random.Generator) -> np.ndarray:
    """A slice through a head: a bright rim, gray folds, dark ventricles."""
    rows, columns = np.mgrid[-1:1:256j, -1:1:256j]
    wide, high = random.uniform(0.6, 0.75), random.uniform(0.8, 0.92)
    distance = (columns / wide) ** 2 + (rows / high) ** 2
    folds = gaussian_filter(random.normal(size=(256, 256)), 4)
    slice_ = np.where(distance < 0.8, 0.45 + 0.15 * np.sign(folds), 0.0)
    slice_[(distance > 0.9) & (distance < 1)] = 0.9
    for side in (-1, 1):
        slice_[((columns - side * 0.1) / 0.07) ** 2 + (rows / 0.25) ** 2 < 1] = 0.1
    return _bytes(gaussian_filter(slice_, 1.2) + np.abs(random.normal(0, 0.03, slice_.shape)))


def draw_ultrasound(random: np.random.Generator, doppler: bool) -> np.ndarray:
    """A fan of speckle on black, with a scale of grays, and in some a window of colours."""
    rows, columns = np.mgrid[0:1:360j, -0.7:0.7:480j]
    radius, angle = np.hypot(rows + 0.1, columns), np.arctan2(columns, rows + 0.1)
    fan = (radius > 0.2) & (radius < 1.05) & (np.abs(angle) < random.uniform(0.5, 0.75))
    tissue = gaussian_filter(random.random((360, 480)), 12)
    tissue = (tissue - tissue.min()) / (tissue.max() - tissue.min())
    gray = fan * tissue * random.rayleigh(0.6, (360, 480))
    pixels = np.repeat(_bytes(gaussian_filter(gray, 0.8))[..., None], 3, 2)
    pixels[40:200, 460:470] = np.linspace(255, 0, 160).astype(np.uint8)[:, None, None]
    if doppler:
        part = fan & (np.hypot(rows - 0.5, columns) < 0.12)
        pixels[part & (columns < 0)], pixels[part & (columns >= 0)] = (200, 40, 20), (20, 60, 210)
    return pixels


def draw_noise(random: np.random.Generator, power: int, colour: bool) -> np.ndarray:
    """Noise whose spectrum falls with the frequency to the power of `power`: 0 is white, 2 like clouds."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    frequency[0, 0] = 1 / 256
    planes = [
        np.fft.ifft2(np.fft.fft2(random.normal(size=(256, 256))) / frequency**power).real
        for _ in range(3 if colour else 1)
    ]
    planes = [_bytes(0.5 + 0.2 * (plane - plane.mean()) / plane.std()) for plane in planes]
    return np.stack(planes, -1).squeeze()


def draw_gradients() -> list[np.ndarray]:
    """Smooth pictures: along a side, from a corner, from the middle, of colours, in steps, as rings."""
    rows, columns = np.mgrid[0:1:256j, 0:1:256j]
    radius = np.hypot(rows - 0.5, columns - 0.5)
    return [
        *map(_bytes, (columns, rows, (rows + columns) / 2, 1 - 1.4 * radius, np.floor(columns * 8) / 7)),
        np.stack([_bytes(columns), _bytes(rows), _bytes(1 - rows)], -1),
        np.stack([_bytes(1 - radius), _bytes(0.6 - radius), _bytes(0.2 - 0 * radius)], -1),
        _bytes(0.5 + 0.5 * np.sin(60 * radius)),
    ]


def _pixels(array: np.ndarray) -> np.ndarray:
    return np.where(array, 255, 0).astype(np.uint8) if array.dtype == bool else array


def _bytes(values: np.ndarray) -> np.ndarray:
    return (255 * values.clip(0, 1)).astype(np.uint8)


def _film(pixels: np.ndarray) -> Image:
    return image_from_array(np.ascontiguousarray(pixels))
