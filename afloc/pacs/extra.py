"""Whether the extra `afloc[pacs]` is installed. Nothing of it is loaded to find out."""

from importlib.util import find_spec

from afloc.errors import SettingsError

EXTRA = "highdicom", "dicomweb_client"
NO_EXTRA = "DICOM results and the PACS need further packages: install them with pip install 'afloc[pacs]'."


def has_extra() -> bool:
    return all(find_spec(name) for name in EXTRA)


def check_extra() -> None:
    """SettingsError unless the extra is installed."""
    if not has_extra():
        raise SettingsError(NO_EXTRA)
