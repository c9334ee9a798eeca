import numpy as np
import pytest

from afloc.imaging.geometry import Letterbox, area_resize, area_resize_several

SHAPES = [(300, 400), (1024, 833), (512, 512), (50, 1000), (1000, 50), (90, 121), (17, 16)]
FITS = [Letterbox.fit, Letterbox.paper]


@pytest.fixture
def random():
    return np.random.default_rng(0)


def average_by_definition(pixels, height, width):
    """Every source pixel's share in every target pixel, one by one."""
    resized = np.zeros((height, width))
    for row in range(height):
        top, bottom = row * pixels.shape[0] / height, (row + 1) * pixels.shape[0] / height
        for column in range(width):
            left, right = column * pixels.shape[1] / width, (column + 1) * pixels.shape[1] / width
            total = 0.0
            for y in range(int(top), int(np.ceil(bottom - 1e-9))):
                for x in range(int(left), int(np.ceil(right - 1e-9))):
                    share = (min(bottom, y + 1) - max(top, y)) * (min(right, x + 1) - max(left, x))
                    total += share * pixels[y, x]
            resized[row, column] = total / ((bottom - top) * (right - left))
    return resized


@pytest.mark.parametrize("size", [(7, 5), (4, 13), (20, 30)])
def test_area_resize_is_the_average_over_the_area(random, size):
    pixels = random.random((12, 13))
    resized = area_resize(pixels, *size, enlarge="area")
    np.testing.assert_allclose(resized, average_by_definition(pixels, *size), atol=1e-12)
    assert resized.mean() == pytest.approx(pixels.mean())


def test_area_resize_keeps_dtype_channels_and_range(random):
    for dtype in (np.uint8, np.uint16):
        pixels = random.integers(0, np.iinfo(dtype).max, (40, 50, 3), dtype, endpoint=True)
        resized = area_resize(pixels, 13, 21)
        assert resized.dtype == dtype and resized.shape == (13, 21, 3)
        for channel in range(3):
            expected = average_by_definition(pixels[..., channel], 13, 21)
            assert np.abs(resized[..., channel] - expected).max() <= 0.5 + 1e-9
    assert (area_resize(np.full((40, 50), 255, np.uint8), 100, 120) == 255).all()


def test_integers_round_half_to_even_but_half_up_when_halved():
    assert area_resize(np.array([[0, 1], [2, 1], [2, 3]], np.uint8), 3, 1).ravel().tolist() == [0, 2, 2]
    assert area_resize(np.array([[0, 1], [1, 0]], np.uint8), 1, 1).item() == 1


@pytest.mark.parametrize("shape", [(90, 70), (64, 64), (32, 128, 3), (20, 300), (333, 411, 3)])
def test_several_sizes_in_one_pass_are_what_each_is_alone(random, shape):
    pixels = random.integers(0, 256, shape).astype(np.uint8)
    sizes = [(64, 64), (16, 16), (45, 35)]
    for (height, width), resized in zip(sizes, area_resize_several(pixels, sizes), strict=True):
        assert np.array_equal(resized, area_resize(pixels, height, width))


def test_enlarging_is_linear_between_pixel_centres():
    np.testing.assert_allclose(area_resize(np.array([[0.0, 4.0]]), 1, 4), [[0, 1, 3, 4]])


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", SHAPES)
def test_points_boxes_and_masks_return(random, fit, shape):
    height, width = shape
    letterbox = fit(height, width, 224)
    assert max(letterbox.inner_height, letterbox.inner_width) == 224

    point = random.random() * width, random.random() * height
    assert letterbox.unpoint(letterbox.point(point)) == pytest.approx(point)
    box = (0.2 * width, 0.3 * height, 0.5 * width, 0.4 * height)
    assert letterbox.unbox(letterbox.box(box)) == pytest.approx(box)
    whole = (letterbox.left, letterbox.top, letterbox.inner_width, letterbox.inner_height)
    assert letterbox.box((0, 0, width, height)) == pytest.approx(whole)

    y, x = np.mgrid[0:height, 0:width]
    mask = (x >= box[0]) & (x < box[0] + box[2]) & (y >= box[1]) & (y < box[1] + box[3])
    back = letterbox.unmask(letterbox.mask(mask))
    step = np.ceil(max(shape) / 224)  # a pixel of the square on the image
    ys, xs = np.nonzero(mask ^ back)
    near_y = np.minimum(abs(ys + 0.5 - box[1]), abs(ys + 0.5 - box[1] - box[3])) <= step
    near_x = np.minimum(abs(xs + 0.5 - box[0]), abs(xs + 0.5 - box[0] - box[2])) <= step
    assert (near_y | near_x).all()
    assert letterbox.unmask(letterbox.mask(np.ones(shape, bool))).all()


@pytest.mark.parametrize("fit", FITS)
def test_image_and_mask_land_where_points_do(fit):
    pixels = np.zeros((600, 400), np.uint8)
    pixels[300:360, 100:140] = 255
    letterbox = fit(600, 400, 224)
    square = letterbox.image(pixels)
    x, y, width, height = letterbox.box((100, 300, 40, 60))
    assert square.shape == (224, 224) and square.dtype == np.uint8
    assert square.sum() / 255 == pytest.approx(width * height, rel=0.02)
    ys, xs = np.nonzero(square > 127)
    assert (xs.mean() + 0.5, ys.mean() + 0.5) == pytest.approx((x + width / 2, y + height / 2), abs=0.5)
    assert (letterbox.mask(pixels > 0) ^ (square > 127)).sum() <= 2 * (width + height)


def test_paper_letterbox_truncates_as_the_released_code_does():
    assert Letterbox.paper(444, 333).inner_width == 167  # the same quotient is 168 when rounded
    assert Letterbox.fit(444, 333, 224).inner_width == 168
    letterbox = Letterbox.paper(400, 320)
    assert (letterbox.top, letterbox.left, letterbox.inner_width) == (0, 22, 179)
    assert letterbox.paper_box((64, 120, 112, 160)) == (57, 67, 62, 89)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cells", [7, 14, 38])
def test_grid_cells_follow_the_image(shape, cells):
    letterbox = Letterbox.fit(*shape, 224)
    valid = letterbox.valid(cells)
    assert valid.any()
    if min(letterbox.inner_height, letterbox.inner_width) >= 224 / cells:
        for row, column in ((0, 0), (cells // 2, cells // 2), (cells - 1, cells // 3)):
            x, y = letterbox.unpoint(((column + 0.5) * 224 / cells, (row + 0.5) * 224 / cells))
            assert valid[row, column] == (0 <= x < shape[1] and 0 <= y < shape[0])

    grid = np.where(valid, 0.7, np.nan)
    cropped = letterbox.crop(grid)
    assert cropped.dtype == np.float32
    np.testing.assert_allclose(cropped, 0.7, rtol=1e-6)  # nothing of the margin gets in
    covered = letterbox.inner_height * cells / 224, letterbox.inner_width * cells / 224
    assert cropped.shape == pytest.approx(covered, abs=1)


def test_crop_keeps_positions():
    letterbox = Letterbox.fit(200, 400, 224)
    centres = (np.arange(28) + 0.5) * 8
    x = np.array([letterbox.unpoint((centre, 112))[0] for centre in centres])
    cropped = letterbox.crop(np.broadcast_to(x, (3, 28, 28)))
    assert cropped.shape == (3, 14, 28)
    np.testing.assert_allclose(cropped[0, 0], (np.arange(28) + 0.5) * 400 / 28, rtol=1e-5)


@pytest.mark.parametrize("aspect", [0.5, 2.0])
def test_pixels_that_are_not_square(random, aspect):
    """A picture of every second row (or column) lands where the whole one does."""
    whole = area_resize(random.integers(0, 256, (9, 12), np.uint8), 90, 120)
    thinned = area_resize(whole, 45, 120) if aspect == 2 else area_resize(whole, 90, 60)
    square, wanted = Letterbox.fit(*thinned.shape, 64, aspect), Letterbox.fit(*whole.shape, 64)
    assert np.abs(square.image(thinned).astype(int) - wanted.image(whole)).mean() < 1
    assert square.box((0, 0, thinned.shape[1], thinned.shape[0])) == wanted.box((0, 0, 120, 90))
    assert square.unpoint(square.point((7, 5))) == pytest.approx((7, 5))
    assert square.crop(np.zeros((16, 16), np.float32)).shape == (12, 16)
