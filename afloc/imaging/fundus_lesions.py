"""Hard exudates, drawn onto a photograph of a healthy eye: waxy yellow deposits, in clusters on a ring."""

import numpy as np
from scipy.ndimage import gaussian_filter

_SEED = 3
_OUTSIDE = -9.0  # pixels; so far from every deposit nothing is painted
_YELLOW = np.array([255, 228, 138], np.float32)


def draw_exudates(eye: np.ndarray, centre: tuple[float, float], radius: float) -> np.ndarray:
    """The photograph, uint8 (height, width, 3), with exudates around `centre` (x, y), about `radius` away.

    The same at every call.
    """
    random = np.random.default_rng(_SEED)
    y, x = np.mgrid[0 : eye.shape[0], 0 : eye.shape[1]].astype(np.float32)
    rough = gaussian_filter(random.normal(size=eye.shape[:2]).astype(np.float32), 2.5)
    rough /= rough.std()
    depth = np.full(eye.shape[:2], _OUTSIDE, np.float32)  # how far inside a deposit, in pixels
    for angle in np.linspace(0, 2 * np.pi, 9, endpoint=False):
        far = radius * random.uniform(0.8, 1.25)
        middle = centre[0] + far * np.cos(angle), centre[1] + 0.8 * far * np.sin(angle)
        for _ in range(int(random.integers(6, 16))):
            spread = 0.16 * radius
            at = random.normal(middle[0], spread), random.normal(middle[1], spread)
            size = random.gamma(2.0, 0.011 * radius) + 0.01 * radius
            stretch, turn = random.uniform(0.6, 1.5), random.uniform(0, np.pi)
            reach = (size - _OUTSIDE) * max(stretch, 1 / stretch)
            near = tuple(slice(max(0, int(c - reach)), max(0, int(c + reach) + 2)) for c in at[::-1])
            dx, dy = x[near] - at[0], y[near] - at[1]
            along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
            depth[near] = np.maximum(depth[near], size - np.hypot(along / stretch, across * stretch))
    cover = 0.92 * gaussian_filter(np.clip(0.5 + (depth + 1.2 * rough) / 2.5, 0, 1), 0.8)[..., None]
    light = np.clip(gaussian_filter(eye.astype(np.float32).mean(axis=2), 30) / 120, 0.6, 1.1)[..., None]
    waxy = _YELLOW * light * (1 + 0.04 * rough[..., None])
    return np.rint(np.clip(eye * (1 - cover) + waxy * cover, 0, 255)).astype(np.uint8)
