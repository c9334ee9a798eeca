"""A study as the text of its file: what a form changes is changed in the text, everything else stays.

Comments, order and layout of a file that somebody wrote by hand are kept, by tomlkit. A comment is lost only
with the table that it stands in.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.items import AoT, Table

from afloc.feedback.studies.study_file import KEYS
from afloc.text import clean_values

_EMPTY: Mapping[str, Any] = {"deviations": [], "protocol": None, "training": []}


def write_values(values: Mapping[str, Any], text: str = "") -> str:
    """The text of a study file that says `values`, plain ones as JSON has them; None where a key is left out.

    `text`: the file as it is. `tomllib.loads` of the result gives the values again; what TOML cannot write is
    ValueError.
    """
    wanted = _plain(values)
    document = tomlkit.parse(text)
    _change(document, wanted, KEYS)
    written = tomlkit.dumps(document)
    if not _same(_read(written), wanted):  # a layout that tomlkit cannot change in place
        document = tomlkit.document()
        _change(document, wanted, KEYS)
        written = tomlkit.dumps(document)
    if not _same(_read(written), wanted):
        raise ValueError("this cannot be written as TOML")
    return written


def comments(text: str) -> list[str]:
    """The comments that stand on lines of their own, in the order of the text."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line.startswith("#")]


def _read(text: str) -> Any:
    try:
        return json.loads(json.dumps(tomllib.loads(text), default=str))
    except tomllib.TOMLDecodeError:
        return None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    def without_none(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): without_none(each) for key, each in value.items() if each is not None}
        return [without_none(each) for each in value] if isinstance(value, list | tuple) else value

    cleaned = clean_values(without_none(values))
    return {key: each for key, each in cleaned.items() if key not in _EMPTY or each}


def _same(one: Any, other: Any) -> bool:
    """Equal, where 1 and 1.0 are, but 1 and true are not."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _change(table: Any, wanted: Mapping[str, Any], order: Sequence[str] = ()) -> None:
    """Make a table of the document say what is wanted. New keys come in this order, simple ones first."""
    for key in [key for key in table if key not in wanted]:
        del table[key]
    rank = {key: place for place, key in enumerate(order)}
    keys = sorted(wanted, key=lambda key: (_is_table(wanted[key]), rank.get(key, len(rank))))
    tail = _take_tail(table) if any(key not in table for key in keys) else []
    for key in keys:
        value, now = wanted[key], table.get(key)
        if now is not None and _same(_plain_item(now), value):
            continue
        if _is_tables(value):
            table[key] = _tables(value, now if isinstance(now, AoT) else None)
        elif isinstance(value, Mapping) and isinstance(now, Table):
            _change(now, value)
        else:
            table[key] = _item(value)
    for item in tail:
        table.add(item)


def _take_tail(table: Any) -> list[Any]:
    """The blank lines and comments at the end of a table, which stand before what comes after it."""
    if not isinstance(table, Table):
        return []
    body, tail = table.value.body, []
    while body and body[-1][0] is None:
        tail.append(body.pop()[1])
    return tail[::-1]


def _tables(values: Sequence[Mapping[str, Any]], now: AoT | None) -> AoT:
    """The list of tables; one that has an id as before stays the table that it was, with its comments."""
    before = {str(table.get("id")): table for table in (now.body if now else ()) if table.get("id")}
    if now is not None and [str(table.get("id")) for table in now.body] == [
        str(value.get("id")) for value in values
    ]:
        for table, value in zip(now.body, values, strict=True):
            _change(table, value)
        return now
    found = tomlkit.aot()
    for value in values:
        table = before.pop(str(value.get("id"))) if str(value.get("id")) in before else tomlkit.table()
        _change(table, value)
        found.append(table)
    return found


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or _is_tables(value)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _plain_item(item: Any) -> Any:
    value = item.unwrap() if hasattr(item, "unwrap") else item
    return json.loads(json.dumps(value, default=str))


def _item(value: Any) -> Any:
    if isinstance(value, str) and "\n" in value:
        return tomlkit.string("\n" + value, multiline=True)
    if isinstance(value, Mapping):
        table = tomlkit.table()
        _change(table, value)
        return table
    return tomlkit.item(value)
