"""What an image file says beside its pixels, of whatever kind the file is."""

from afloc.imaging import raster_tags
from afloc.imaging.image import is_dicom


def strip_tags(content: bytes) -> bytes:
    """The same image in a file that tells nothing but what its pixels need. Raises ImageError."""
    if not is_dicom(content):
        return raster_tags.strip_texts(content)
    from afloc.imaging import dicom_tags  # pydicom is slow to import

    return dicom_tags.strip_tags(content)


def has_other_tags(content: bytes) -> bool:
    """Whether there is something that `strip_tags` would take out. Raises ImageError."""
    if not is_dicom(content):
        return raster_tags.has_texts(content)
    from afloc.imaging import dicom_tags  # pydicom is slow to import

    return dicom_tags.has_other_tags(content)
