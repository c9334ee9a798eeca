"""The formats of an export, and the endings of their files. Quick to import, for the command line's help."""

from pathlib import Path

FORMATS = {"csv": ".csv", "parquet": ".parquet", "coco": ".json", "imrmc": ".imrmc", "jafroc": ".xlsx"}


def format_of(path: Path) -> str | None:
    """The format that a file's ending stands for, None where it stands for none."""
    ending = path.suffix.lower()
    return next((format for format, its_ending in FORMATS.items() if its_ending == ending), None)
