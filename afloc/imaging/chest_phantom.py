"""A chest phantom: a frontal film drawn from shapes, with a left pleural effusion whose place is known.

X-ray absorption adds up along the beam, so every organ is a layer of absorption added to the body (or, being
air, taken from it), and the film shows about 1 - exp(-sum). Positions are fractions of the film's side, x to
the right, y down, and as on any film the patient's left is on the right.
"""

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from scipy.interpolate import splev, splprep
from scipy.ndimage import gaussian_filter

SIDE = 1024

_SEED = 7

# Outlines; the body's is its right half, the fluid's lies partly outside the lung it fills.
# fmt: off
_BODY = [
    (0.395, -0.1), (0.4, 0.02), (0.36, 0.06), (0.22, 0.092), (0.09, 0.125), (-0.01, 0.2), (-0.04, 0.35),
    (-0.01, 0.55), (0.02, 0.7), (0.015, 0.85), (-0.03, 1.1),
]
_RIGHT_LUNG = [
    (0.335, 0.1), (0.4, 0.135), (0.432, 0.21), (0.438, 0.3), (0.425, 0.4), (0.405, 0.52), (0.395, 0.62),
    (0.405, 0.7), (0.35, 0.692), (0.27, 0.682), (0.19, 0.712), (0.14, 0.772), (0.112, 0.815), (0.106, 0.775),
    (0.105, 0.68), (0.112, 0.55), (0.135, 0.4), (0.175, 0.26), (0.245, 0.145),
]
_LEFT_LUNG = [
    (0.665, 0.1), (0.6, 0.135), (0.57, 0.2), (0.588, 0.265), (0.585, 0.33), (0.58, 0.385), (0.62, 0.46),
    (0.68, 0.55), (0.725, 0.65), (0.722, 0.735), (0.79, 0.728), (0.845, 0.765), (0.89, 0.84), (0.896, 0.72),
    (0.89, 0.55), (0.866, 0.4), (0.826, 0.26), (0.755, 0.145),
]
_FLUID = [
    (0.58, 0.542), (0.66, 0.528), (0.73, 0.512), (0.79, 0.49), (0.84, 0.453), (0.872, 0.4), (0.896, 0.31),
    (0.95, 0.46), (1.02, 0.66), (0.95, 0.86), (0.75, 0.84), (0.6, 0.78),
]
_HEART = [
    (0.456, 0.406), (0.396, 0.492), (0.374, 0.6), (0.396, 0.708), (0.516, 0.757), (0.684, 0.767),
    (0.758, 0.708), (0.751, 0.622), (0.69, 0.514), (0.6, 0.427),
]


def draw_chest_film(effusion: bool = True) -> np.ndarray:
    """The film, uint8 (SIDE, SIDE), the same at every call; ``effusion=False`` leaves the effusion out."""
    random = np.random.default_rng(_SEED)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    body = _blur(_fill(_BODY + [(1 - x_, y_) for x_, y_ in reversed(_BODY)]), 7)
    lungs = np.maximum(_fill(_RIGHT_LUNG), _fill(_LEFT_LUNG))
    chest = np.clip(3 * _blur(lungs, 16), 0, 1)  # the lungs and a little around them
    air = _blur(lungs, 3.5)
    if effusion:
        air = air * (1 - 0.94 * _blur(_fill(_FLUID), 5))

    layers = 0.56 + 0.52 * np.exp(-(((x - 0.5) / 0.27) ** 2))
    layers += 0.30 * y**2 + 0.28 * _blur(_fill(_HEART), 9) + _spine(x, y) - 0.15 * _blur(_airways(), 3)
    layers += 0.05 * _texture(random, 40) + 0.02 * _texture(random, 6)
    layers -= 0.22 * np.exp(-(((x - 0.76) / 0.055) ** 2) - ((y - 0.86) / 0.03) ** 2)  # gas in the stomach
    layers += chest * (0.19 * _ribs_behind() + 0.12 * _ribs_in_front()) + 0.22 * _clavicles()
    layers -= air * (0.56 + 0.16 * np.exp(-(((x - 0.5) / 0.27) ** 2)) - 0.26 * _vessels(random))
    absorption = np.maximum(_blur(body * layers, 1.2), 0)
    film = (1 - np.exp(-1.2 * absorption)) ** 1.3  # the film's own contrast
    film += random.normal(0, 0.011, film.shape)  # quantum noise

    film = Pillow.fromarray(np.rint(np.clip(film, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(film)
    pen.text((0.95 * SIDE, 0.05 * SIDE), "L", fill=235, font=ImageFont.load_default(48), anchor="mm")
    pen.text((0.15 * SIDE, 0.04 * SIDE), "SYNTHETIC", fill=235, font=ImageFont.load_default(32), anchor="mm")
    return np.asarray(film)


def _spine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    column = np.clip((0.038 + 0.006 * y - np.abs(x - 0.5)) / 0.012, 0, 1)
    discs = 0.5 + 0.5 * np.cos(2 * np.pi * (y / 0.062 + 0.6 * y**2))
    processes = np.exp(-(((x - 0.5) / 0.008) ** 2)) * (1 - discs)
    return column * (0.18 - 0.09 * discs**4) + 0.08 * processes


def _airways() -> np.ndarray:
    layer = _layer()
    _stroke(layer, [(0.5, -0.05), (0.498, 0.12), (0.497, 0.24), (0.502, 0.325)], 0.036)
    _stroke(layer, [(0.500, 0.315), (0.470, 0.360), (0.435, 0.395)], 0.024)
    _stroke(layer, [(0.500, 0.315), (0.540, 0.370), (0.585, 0.400)], 0.021)
    return _values(layer)


def _vessels(random: np.random.Generator) -> np.ndarray:
    """Branches that leave the hila, fork, and thin out towards the wall."""
    layer = _layer()
    pen = ImageDraw.Draw(layer)

    def grow(x: float, y: float, angle: float, width: float) -> None:
        if width < 1:
            return
        for _ in range(3):
            angle += random.normal(0, 0.13)
            length = 0.007 + 0.0022 * width
            start = x * SIDE, y * SIDE
            x, y = x + length * np.cos(angle), y + length * np.sin(angle)
            shade = int(min(255, 45 + 20 * width))
            pen.line([*start, x * SIDE, y * SIDE], fill=shade, width=max(1, round(width)))
        fork = random.uniform(0.2, 0.55)
        grow(x, y, angle - fork, width * random.uniform(0.5, 0.85))
        grow(x, y, angle + fork, width * random.uniform(0.5, 0.85))

    for x, y, outwards in ((0.425, 0.40, np.pi), (0.585, 0.385, 0)):
        for turn in np.linspace(-1.2, 1.2, 7):
            angle = outwards + turn + random.normal(0, 0.1)
            grow(x, y + 0.03 * np.sin(angle), angle, random.uniform(6, 10))
    hila = _layer()
    ImageDraw.Draw(hila).ellipse([0.385 * SIDE, 0.37 * SIDE, 0.43 * SIDE, 0.47 * SIDE], fill=255)
    ImageDraw.Draw(hila).ellipse([0.58 * SIDE, 0.34 * SIDE, 0.63 * SIDE, 0.43 * SIDE], fill=255)
    return 0.7 * _blur(_values(layer), 1.2) + 0.5 * _blur(_values(layer), 4) + 0.8 * _blur(_values(hila), 12)


def _ribs_behind() -> np.ndarray:
    """Ten pairs, from the spine up, out and down to the wall."""
    layer = _layer()
    for number in range(10):
        for side in (-1, 1):
            _bone(layer, [_rib_point(number, side, t) for t in np.linspace(0, 1, 9)], 0.021)
    return _blur(_values(layer), 1.8)


def _ribs_in_front() -> np.ndarray:
    """Seven pairs, from the wall down and in; cartilage, which films do not show, takes over half way."""
    layer = _layer()
    for number in range(7):
        for side in (-1, 1):
            x, y = _rib_point(number, side, 1)
            reach = abs(x - 0.5)
            curve = [
                (x - side * 0.75 * reach * t**1.3, y + 0.02 + (0.07 + 0.012 * number) * t**0.8)
                for t in np.linspace(0, 0.85, 8)
            ]
            _bone(layer, curve, 0.025)
    return _blur(_values(layer), 2.2)


def _rib_point(number: int, side: int, t: float) -> tuple[float, float]:
    reach = 0.40 - 0.20 * np.exp(-number / 1.8)
    return (
        0.5 + side * (0.03 + reach * t),
        0.085 + 0.066 * number - 0.035 * np.sin(2.4 * t) + (0.06 + 0.015 * number) * t**3,
    )


def _clavicles() -> np.ndarray:
    layer = _layer()
    for side in (-1, 1):
        curve = [(0.045, 0.178), (0.11, 0.168), (0.19, 0.140), (0.27, 0.128), (0.36, 0.134)]
        _bone(layer, [(0.5 + side * x, y) for x, y in curve], 0.026)
    return _blur(_values(layer), 2)


def _bone(layer: Pillow.Image, points: list[tuple[float, float]], width: float) -> None:
    """A band along the points with a denser rim, the cortex."""
    _stroke(layer, points, width)
    _stroke(layer, points, width * 0.6, shade=165)


def _texture(random: np.random.Generator, grain: float) -> np.ndarray:
    texture = gaussian_filter(random.normal(size=(SIDE // 4, SIDE // 4)), grain / 4, mode="wrap")
    return _enlarge(texture / texture.std())


def _blur(layer: np.ndarray, pixels: float) -> np.ndarray:
    if pixels < 4:
        return gaussian_filter(layer, pixels, mode="nearest", truncate=3)
    small = layer.reshape(SIDE // 4, 4, SIDE // 4, 4).mean(axis=(1, 3))  # as good, and much less work
    return _enlarge(gaussian_filter(small, pixels / 4, mode="nearest", truncate=3))


def _enlarge(layer: np.ndarray) -> np.ndarray:
    picture = Pillow.fromarray(layer.astype(np.float32))
    return np.asarray(picture.resize((SIDE, SIDE), Pillow.Resampling.BICUBIC))


def _layer() -> Pillow.Image:
    return Pillow.new("L", (SIDE, SIDE))


def _values(layer: Pillow.Image) -> np.ndarray:
    return np.asarray(layer, np.float32) / 255


def _fill(points: list[tuple[float, float]]) -> np.ndarray:
    layer = _layer()
    ImageDraw.Draw(layer).polygon(_smooth(points, closed=True), fill=255)
    return _values(layer)


def _stroke(layer: Pillow.Image, points: list[tuple[float, float]], width: float, shade: int = 255) -> None:
    pen = ImageDraw.Draw(layer)
    pen.line(_smooth(points, closed=False), fill=shade, width=round(width * SIDE), joint="curve")


def _smooth(points: list[tuple[float, float]], closed: bool) -> list[tuple[float, float]]:
    """Pixel positions along a spline through the points."""
    points = points + points[:1] if closed else points
    spline, _ = splprep(np.transpose(points), s=0, per=closed, k=min(3, len(points) - 1))
    x, y = splev(np.linspace(0, 1, 200), spline)
    return list(zip(x * SIDE, y * SIDE, strict=True))
