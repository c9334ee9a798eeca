"""The findings AFLoc knows by name: the lists in assets/findings, one TOML table a finding, by modality.

They give the page its examples, the scan its list, the evaluation its sentence for a label, and the training
of label-only images its sentences. Any other description works too: the lists are no limit.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from afloc.errors import DataError, SettingsError
from afloc.language.modalities import MODALITIES
from afloc.language.zones import load_zones
from afloc.resources import ASSETS
from afloc.schema import read_toml

FOLDER = ASSETS / "findings"


@dataclass(frozen=True)
class FindingEntry:
    """One finding of a modality: its words, the labels data sets give it, and sentences for it."""

    id: str
    modality: str
    name: str  # a noun phrase without article
    synonyms: tuple[str, ...]  # other words for it; the first four are noun phrases that stand in for `name`
    labels: tuple[str, ...]  # label strings of data sets that mean it
    simple: str  # what a label is asked as: a plain sentence of two words or more
    precise: str  # one sentence on its appearance and place
    where: str  # where a reader would look, in words
    affirmed: tuple[str, ...]  # ways to say it is there
    denied: tuple[str, ...]  # ways to say it is not
    sided: bool  # whether "left" and "right" mean something for it
    family: str  # findings of a family share an operating point
    parents: tuple[str, ...] = ()  # findings it implies
    patterns: tuple[str, ...] = ()  # regular expressions for wordings that are no noun
    normal: bool = False  # a structure or a normal statement, not a pathology
    zones: tuple[str, ...] = ()  # where it lies, as `afloc.language.zones` has it; none: anywhere
    translations: tuple[
        tuple[str, tuple[str, ...]], ...
    ] = ()  # (language, names in it): for suggestions only

    @property
    def terms(self) -> tuple[str, ...]:
        """Noun phrases that may stand in a sentence for the finding."""
        return (self.name, *self.synonyms[:4])


_added: dict[str, dict[str, FindingEntry]] = {}  # by modality and id
_emptied: list[Callable[[], None]] = []  # what forgets all that was made of the lists

Function = TypeVar("Function", bound=Callable)


def of_lists(function: Function) -> Function:
    """functools.lru_cache for what is made of the lists: `add_findings` empties it."""
    cached = lru_cache(4096)(function)
    _emptied.append(cached.cache_clear)
    return cached  # type: ignore[return-value]  # it is called as the function is


def add_findings(path: Path, modality: str) -> dict[str, FindingEntry]:
    """Add the findings of a TOML file to the list of a modality, for all models of this process; returns
    them.

    A table needs a `name`; what else it lacks is put together from that. DataError where the file is missing
    or malformed, or names a finding that the list has already in other words.
    """
    tables = read_toml(path, f"There is no list of findings {path.name}.")
    listed, added = load_findings(modality), {}
    for name, table in tables.items():
        if isinstance(table, dict) and isinstance(table.get("name"), str) and table["name"]:
            table = _plain_entry(table["name"]) | table
        entry = _entry(name, modality, table, path.name)
        known = find_by_label(entry.name, modality)
        if listed.get(name, entry) != entry or (known is not None and known != entry):
            raise DataError(f"{path.name}: {name} is in the list of {modality} already: leave it out.")
        if unknown := set(entry.parents) - set(listed) - set(tables):
            raise DataError(f"{path.name}: {name} names the unknown parent {min(unknown)}.")
        added[name] = entry
    _added[modality] = _added.get(modality, {}) | added
    for empty in _emptied:
        empty()
    return added


def _plain_entry(name: str) -> dict[str, object]:
    """What is said of a finding of which no more than its name is given."""
    return {
        "synonyms": [],
        "labels": [],
        "simple": f"{name} is present",
        "precise": f"{name[:1].upper()}{name[1:]} is seen in the image.",
        "where": "Anywhere in the image.",
        "affirmed": [f"There is {name}.", f"{name[:1].upper()}{name[1:]} is seen."],
        "denied": [f"No {name}.", f"There is no {name}."],
        "sided": False,
        "family": "added",
    }


@of_lists
def load_findings(modality: str) -> dict[str, FindingEntry]:
    """The findings of `modality` by id, in the order of the file.

    Raises SettingsError for an unknown modality, DataError for a list that is missing or malformed.
    """
    if modality not in MODALITIES:
        raise SettingsError(f"There is no modality {modality!r}; choose one of {', '.join(MODALITIES)}.")
    path = FOLDER / f"{modality}.toml"
    tables = read_toml(path, f"The findings of {modality} are missing: put back {path.name}.")
    entries = {name: _entry(name, modality, table, path.name) for name, table in tables.items()}
    entries |= _added.get(modality, {})
    for entry in entries.values():
        if unknown := set(entry.parents) - set(entries):
            raise DataError(f"{path.name}: {entry.id} names the unknown parent {min(unknown)}.")
    return entries


def find_by_label(label: str, modality: str | None = None) -> FindingEntry | None:
    """The finding a data set's `label` means, whatever its capitals, underscores and plural, or None.

    Labels and names come before synonyms; without a modality the modalities are searched in order.
    """
    key = _key(label)
    modalities = (modality,) if modality else tuple(MODALITIES)
    for index in (_labels, _synonyms):
        for each in modalities:
            if found := index(each).get(key):
                return load_findings(each)[found]
    return None


def sentence_for_label(label: str, modality: str | None = None) -> str:
    """What `label` is asked as: the finding's simple sentence, else the label itself, lower-cased."""
    entry = find_by_label(label, modality)
    return entry.simple if entry else label.replace("_", " ").lower()


def examples(modality: str) -> list[tuple[str, str]]:
    """A (simple, precise) pair of each pathology of `modality`, for the page."""
    return [(entry.simple, entry.precise) for entry in load_findings(modality).values() if not entry.normal]


def ancestors(finding_id: str, modality: str) -> frozenset[str]:
    """All findings that `finding_id` implies, its parents' parents included."""
    entries = load_findings(modality)
    found: set[str] = set()
    waiting = list(entries[finding_id].parents)
    while waiting:
        parent = waiting.pop()
        if parent not in found:
            found.add(parent)
            waiting += entries[parent].parents
    return frozenset(found)


def _entry(name: str, modality: str, table: object, file: str) -> FindingEntry:
    if not isinstance(table, dict):
        raise DataError(f"{file}: {name} should be a table.")
    kinds = {each.name: each for each in fields(FindingEntry) if each.name not in ("id", "modality")}
    if unknown := set(table) - set(kinds):
        raise DataError(f"{file}: {name} has the unknown field {min(unknown)}.")
    if missing := {key for key, kind in kinds.items() if kind.default is MISSING} - set(table):
        raise DataError(f"{file}: {name} lacks {', '.join(sorted(missing))}.")
    entry = FindingEntry(
        id=name,
        modality=modality,
        **{key: _value(f"{file}: {key} of {name}", value, kinds[key]) for key, value in table.items()},
    )
    if unknown := set(entry.zones) - set(load_zones(modality)):
        raise DataError(f"{file}: {name} names the unknown zone {min(unknown)}.")
    return entry


def _value(where: str, value: object, field: Field) -> Any:
    """A value of a list as the entry holds it. Raises DataError where it is of another kind."""
    if field.name == "translations":
        if not isinstance(value, dict):
            raise DataError(f"{where} should be a table of languages.")
        return tuple((language, _texts(where, terms)) for language, terms in value.items())
    if field.type in (str, bool):
        if not isinstance(value, field.type):
            raise DataError(f"{where} should be {'true or false' if field.type is bool else 'a text'}.")
        if isinstance(value, str) and not any(map(str.isalnum, value)):
            raise DataError(f"{where} holds no word.")
        return value
    return _texts(where, value)


def _texts(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise DataError(f"{where} should be a list of texts.")
    return tuple(value)


def _key(label: str) -> str:
    words = re.sub(r"[\s_\-]+", " ", label.lower()).strip().split(" ")
    return " ".join(_singular(word) for word in words)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@of_lists
def _labels(modality: str) -> dict[str, str]:
    index: dict[str, str] = {}
    for entry in load_findings(modality).values():
        for label in (*entry.labels, entry.name):
            if index.setdefault(_key(label), entry.id) != entry.id:
                raise DataError(
                    f"{modality}.toml: {label!r} stands for both {index[_key(label)]} and {entry.id}."
                )
    return index


@of_lists
def _synonyms(modality: str) -> dict[str, str]:
    return {
        _key(synonym): entry.id
        for entry in reversed(load_findings(modality).values())
        for synonym in entry.synonyms
    }


def whole_words(patterns: Iterable[str]) -> re.Pattern:
    """A pattern of whole words that finds any of `patterns`, the first that fits; nothing where there are
    none."""
    return re.compile(rf"\b(?:{'|'.join(patterns) or '(?!)'})\b")
