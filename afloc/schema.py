"""Values that come from outside (TOML, JSON), checked against a type: the first fault becomes one sentence.

    @dataclass(frozen=True)
    class Reader:
        __pydantic_config__ = CLOSED
        name: Text
        cases: Annotated[int, Field(ge=1, le=100)] = 10

    check(Reader, tomllib.loads(text), "reader.toml")   # a Reader, or SettingsError:
    # reader.toml: cases must be a whole number from 1 to 100.

Pydantic checks. The sentence is worked out from the type: its bounds, its choices, its keys.
`Field(description=…)` says in other words what a key must be ("a list of [x, y, width, height]"). A
ValueError from the check of one key goes on from the key's name ("needs two or more that differ"); one from
`__post_init__` begins with a key of that table. `check_all` finds every fault, not the first alone.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from afloc.errors import AFLocError, DataError, SettingsError
from afloc.text import clean_text

CLOSED = ConfigDict(extra="forbid")  # for a dataclass, and those within it, that take no other keys

_NAMES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "object": "a table",
}
_BOUNDS = {  # as JSON schema names them, and as pydantic does where a type is int | float
    "minimum": "from",
    "ge": "from",
    "exclusiveMinimum": "above",
    "gt": "above",
    "maximum": "to",
    "le": "to",
    "exclusiveMaximum": "below",
    "lt": "below",
}
_Schema = Mapping[str, Any]
Checked = TypeVar("Checked")


def _strip(text: str) -> str:
    if not (text := clean_text(text).strip()):
        raise ValueError("must be a text that is not empty")
    return text


Text = Annotated[str, AfterValidator(_strip), Field(description="a text that is not empty")]


@dataclass(frozen=True)
class Fault:
    """What is wrong. `key`: where, as "cases[2].image", "" for the whole. `sentence`: without full stop; it
    names the key."""

    key: str
    sentence: str


def read_toml(path: Path, missing: str, error: type[AFLocError] = DataError) -> dict[str, Any]:
    """The tables of a TOML file; `error` where it cannot be read, which is told by the sentence `missing`, or
    is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise error(missing) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise error(f"{path.name} is not valid TOML: {str(fault).rstrip('.')}.") from None


def check(kind: type[Checked], values: Any, source: str, error: type[AFLocError] = SettingsError) -> Checked:
    """`values`, as `tomllib` or `json` reads them, as a `kind`: a dataclass or another type of pydantic's.

    Nothing is converted: true is no number and "3" is none. But a list fits a tuple, and a whole number
    becomes a float where the type takes no other number. `error`: one sentence that begins with `source` and
    names the first key that is missing, unknown or wrong. Entries of lists are counted from 1.
    """
    found, faults = check_all(kind, values)
    if found is None:
        raise error(f"{source}: {faults[0].sentence}.") from None
    return found


def check_all(kind: type[Checked], values: Any) -> tuple[Checked | None, list[Fault]]:
    """As `check`, with every key that is missing, unknown or wrong, each once; None where there is one."""
    adapter = TypeAdapter(kind)
    try:
        return adapter.validate_json(json.dumps(values, default=_other), strict=True), []
    except ValidationError as invalid:
        schema = adapter.json_schema()
        faults = (_fault(each, schema) for each in invalid.errors())
        return None, list({each.key: each for each in reversed([*faults])}.values())[::-1]


def _other(value: Any) -> dict[str, str]:
    """A date of TOML's as something that is neither a number nor a text."""
    return {type(value).__name__: str(value)}


def _fault(fault: Mapping[str, Any], schema: _Schema) -> Fault:
    kind, place, context = fault["type"], fault["loc"], fault.get("ctx", {})
    path, part = _locate(place, schema)
    if kind.startswith("union_tag"):
        key = _name([*path, context["discriminator"].strip("'")])
        if kind == "union_tag_not_found":
            return Fault(key, f"{key} is missing")
        choices = context["expected_tags"].replace("'", "")
        return Fault(key, f"{key} must be one of {choices}")
    key = _name(path)
    if kind == "missing" and path[-1] == place[-1]:
        return Fault(key, f"{key} is missing")
    if kind == "unexpected_keyword_argument":
        known = ", ".join(sorted(_locate(place[:-1], schema)[1]["properties"]))
        return Fault(key, f"{key} is no key that is known here; there are {known}")
    if kind == "value_error":
        reason = str(context["error"])
        if key and "properties" in part:  # it begins with a key of the table
            key = f"{key}.{reason.split()[0]}"
            return Fault(key, f"{key} {reason.partition(' ')[2]}")
        return Fault(key, f"{key} {reason}".strip())
    return Fault(key, f"{key} must be {_rule(part, key, schema)}".strip())


def _locate(steps: Sequence[str | int], schema: _Schema) -> tuple[list[str | int], _Schema]:
    """The keys that lead to a fault, and the schema of what the last one names.

    A value with a description is named as a whole, whatever in it is wrong.
    """
    path: list[str | int] = []
    part = _follow(schema, schema)
    for step in steps:
        if "discriminator" in part:  # the step is no key: it says which kind of table this is
            part = _follow({"$ref": part["discriminator"]["mapping"][step]}, schema)
        elif (inside := _inside(part, step)) is None:  # nor is this: it names one of the types allowed
            break
        else:
            path.append(step)
            part = _follow(inside, schema)
            if "description" in part and "properties" not in part:
                break
    return path, part


def _inside(part: _Schema, step: str | int) -> _Schema | None:
    if isinstance(step, int):
        return [*part.get("prefixItems", ()), *[part.get("items")] * (step + 1)][step]
    if step in part.get("properties", {}):
        return part["properties"][step]
    more = part.get("additionalProperties")
    return more if isinstance(more, dict) else {} if part.get("type") == "object" else None


def _follow(part: _Schema, schema: _Schema) -> _Schema:
    """A part of the schema with what it refers to; "or null" is left out, int | float is a number."""
    types = [each for each in part.get("anyOf", ()) if each != {"type": "null"}]
    if {each.get("type") for each in types} == {"integer", "number"}:
        types = [types[0] | types[1] | {"type": "number"}]
    if len(types) == 1:
        rest = {name: value for name, value in part.items() if name != "anyOf"}
        return _follow(types[0] | rest, schema)
    return schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def _name(path: Sequence[str | int]) -> str:
    """A key with those that lead to it: cases[2].image"""
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _rule(part: _Schema, key: str, schema: _Schema) -> str:
    """What a value must be."""
    part = _follow(part, schema)
    if "description" in part and "properties" not in part:
        return part["description"]
    if choices := part.get("enum", [part["const"]] if "const" in part else ()):
        return f"{'one of ' if len(choices) > 1 else ''}{', '.join(map(str, choices))}"
    if "anyOf" in part:
        return " or ".join(_rule(each, key, schema) for each in part["anyOf"])
    if part.get("type") == "array":
        return _rule_of_list(part, key, schema)
    bounds = "".join(f" {word} {part[name]}" for name, word in _BOUNDS.items() if name in part)
    return _NAMES.get(part.get("type", ""), "another value") + bounds


def _rule_of_list(part: _Schema, key: str, schema: _Schema) -> str:
    if "prefixItems" in part:
        return f"a list of {len(part['prefixItems'])} values"
    entry = _follow(part.get("items", {}), schema)
    if "properties" in entry or "discriminator" in entry:
        return f"{'one or more' if part.get('minItems') else 'a list of'} tables, each under [[{key}]]"
    plain = {"string": "texts", "integer": "whole numbers", "number": "numbers", "array": "lists"}
    return f"a list of {plain.get(entry.get('type', ''), 'values')}"
