"""The distance of pixels of a picture that is no DICOM: a microscope's is believed, a printer's is not."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.TiffImagePlugin import IFDRational

from afloc.imaging.image import read_image
from afloc.imaging.raster import read_raster
from afloc.imaging.raster_spacing import of_dots_per_inch, of_tiff

tifffile = pytest.importorskip("tifffile")

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
OME = '<OME><Image><Pixels DimensionOrder="XYCZT" PhysicalSizeX="0.25" PhysicalSizeY="0.5"/></Image></OME>'


def tiff(**options):
    file = io.BytesIO()
    tifffile.imwrite(file, PIXELS, **({"metadata": None} | options))
    return file.getvalue()


def by_pillow(kind, **options):
    file = io.BytesIO()
    Pillow.fromarray(PIXELS).save(file, kind, **options)
    return file.getvalue()


FINE = {"resolution": (40000, 20000), "resolutionunit": "CENTIMETER"}  # across, down

MICROSCOPES = {
    "resolution": tiff(**FINE),
    "big-endian": tiff(**FINE, byteorder=">"),
    "BigTIFF": tiff(**FINE, bigtiff=True),
    "OME": tiff(description=OME),
    "OME in mm": tiff(description=OME.replace('X="0.25"', 'X="0.00025" PhysicalSizeXUnit="mm"')),
    "ImageJ": tiff(description="ImageJ=1.53\nunit=micron\n", resolution=(4, 2), resolutionunit="NONE"),
    "PNG": by_pillow("PNG", dpi=(101600, 50800)),
}


@pytest.mark.parametrize("name", MICROSCOPES)
def test_a_microscopes_is_believed(name):
    image = read_image(MICROSCOPES[name])
    assert image.spacing == pytest.approx((0.0005, 0.00025), rel=1e-4) and image.capture.plane == "object"


PRINTERS = {
    "72 dots": tiff(resolution=(72, 72), resolutionunit="INCH"),
    "1200 dots": tiff(resolution=(1200, 1200), resolutionunit="INCH"),
    "no unit": tiff(resolution=(40000, 40000), resolutionunit="NONE"),
    "ImageJ without a unit": tiff(description="ImageJ=1.53\n", resolution=(4, 4), resolutionunit="NONE"),
    "OME without a length": tiff(description=OME.replace('PhysicalSizeY="0.5"', "")),
    "OME with a word": tiff(description=OME.replace('"0.5"', '"Doe"')),
    "PNG": by_pillow("PNG", dpi=(300, 300)),
    "JPEG": by_pillow("JPEG", dpi=(300, 300)),
    "nothing": by_pillow("PNG"),
}


@pytest.mark.parametrize("name", PRINTERS)
def test_a_printers_is_not(name):
    image = read_image(PRINTERS[name])
    assert (image.spacing, image.capture.plane) == (None, None)


APERIO = "Aperio Image Library v11\n60x40 |AppMag = 40|MPP = 0.2500|Filename = 7"


def test_of_a_turned_picture_rows_and_columns_are_swapped():
    turned = read_image(tiff(description=OME, extratags=[(274, 3, 1, 6, True)]))
    assert turned.pixels.shape == (60, 40) and turned.spacing == (0.00025, 0.0005)


def test_a_reduced_copy_has_wider_pixels(monkeypatch):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(PIXELS, metadata=None, description=APERIO)
        writer.write(PIXELS[::2, ::2], metadata=None, subfiletype=1)
    assert read_raster(file.getvalue()).spacing == (0.00025, 0.00025)
    monkeypatch.setattr("afloc.imaging.tiff.MAX_PIXELS", 1000)
    copy = read_raster(file.getvalue())
    assert copy.pixels.shape == (20, 30) and copy.spacing == (0.0005, 0.0005)


def test_numbers_that_are_none():
    for across in (0.0, -1.0, float("nan"), float("inf")):
        assert of_tiff("", across, across, 3) is None
    assert of_dots_per_inch((IFDRational(0, 0), IFDRational(0, 0))) is None
    assert of_dots_per_inch(None) is None and of_dots_per_inch((1e5,)) is None
    assert of_tiff("|MPP = .", 0, 0, 2) is None and of_tiff("|MPP = 900", 0, 0, 2) is None
