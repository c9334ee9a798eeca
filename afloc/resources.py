"""The folder assets/: inside the package once it is installed, beside it in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
ASSETS = _PACKAGE / "assets" if (_PACKAGE / "assets").is_dir() else _PACKAGE.parent / "assets"


def read_asset(name: str) -> str:
    """The text of a file of the page; `name` is its path below assets/viewer."""
    return (ASSETS / "viewer" / name).read_text(encoding="utf-8")
