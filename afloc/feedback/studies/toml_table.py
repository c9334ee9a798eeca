"""Reading a TOML table key by key, each fault one sentence."""

import re
from typing import Any

from afloc.errors import SettingsError
from afloc.imaging.regions import Box, read_box
from afloc.text import clean_text

_NEEDED = object()
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,59}")  # safe in every file format written of it
NAME_RULE = "must be at most 60 letters, digits, hyphens, dots and underscores, a letter or digit first"


class Table:
    """A TOML table whose keys are taken one by one; every fault is a SettingsError that names the key."""

    def __init__(self, values: dict[str, Any], file: str, place: str = ""):
        self.values = values
        self._file = file
        self._place = place
        self._taken: set[str] = set()

    def fail(self, key: str, reason: str) -> None:
        raise SettingsError(f"{self._file}: {self._place}{key} {reason}.")

    def end(self) -> None:
        if unknown := sorted(self.values.keys() - self._taken):
            self.fail(unknown[0], f"is no key that is known here; there are {', '.join(sorted(self._taken))}")

    def text(self, key: str, default: Any = _NEEDED) -> str:
        value = self._take(key, default)
        if value != default and (not isinstance(value, str) or not value.strip()):
            self.fail(key, "must be a text that is not empty")
        return clean_text(value).strip() if isinstance(value, str) else value

    def name(self, key: str) -> str:
        value = self.text(key)
        if not NAME.fullmatch(value):
            self.fail(key, NAME_RULE)
        return value

    def number(self, key: str, low: float, high: float, default: Any = _NEEDED, whole: bool = False):
        value = self._take(key, default)
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            self.fail(key, f"must be a {'whole ' if whole else ''}number from {low} to {high}")
        return value

    def flag(self, key: str, default: Any) -> bool | None:
        value = self._take(key, default)
        if value is not default and not isinstance(value, bool):
            self.fail(key, "must be true or false")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: Any = _NEEDED) -> str:
        value = self._take(key, default)
        if value is not default and value not in allowed:
            self.fail(key, f"must be one of {', '.join(allowed)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key, _NEEDED)
        if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
            self.fail(key, "must be a list of texts")
        return tuple(map(clean_text, value))

    def boxes(self, key: str) -> tuple[Box, ...]:
        value = self._take(key, [])
        try:
            return tuple(map(read_box, value))
        except (TypeError, ValueError):
            self.fail(key, "must be a list of [x, y, width, height]")

    def table(self, key: str) -> "Table":
        value = self._take(key, _NEEDED)
        if not isinstance(value, dict):
            self.fail(key, "must be a table")
        return Table(value, self._file, f"{self._place}{key}.")

    def tables(self, key: str) -> list["Table"]:
        value = self._take(key, _NEEDED)
        if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
            self.fail(key, f"must be one or more tables, each under [[{key}]]")
        return [Table(each, self._file, f"{key}[{number}].") for number, each in enumerate(value, 1)]

    def _take(self, key: str, default: Any) -> Any:
        self._taken.add(key)
        value = self.values.get(key, default)
        if value is _NEEDED:
            self.fail(key, "is missing")
        return value
