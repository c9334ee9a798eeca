"""Joins ES modules into one, so that a page waits for one answer and not for fifty.

It takes modules as ours are written: imports of names, a line each; exports where something is declared;
nothing exported twice among those that are joined. Each keeps a scope of its own, a function that gives back
what it exports, and its lines keep their order: the joined file reads as the modules do.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping

_IMPORT = re.compile(r'^import \{ (?P<names>.+) \} from "(?P<path>\..+)";$', re.MULTILINE)
_DYNAMIC = re.compile(r'\bimport\("(?P<path>\.[^"]+)"\)')
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (?P<name>\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


class ModuleFormError(ValueError):
    """A module is not written as the joining expects."""


def what_it_needs(name: str, scripts: Mapping[str, str]) -> list[str]:
    """The modules that one imports, directly or by way of others, each after those that it imports itself."""
    found: list[str] = []

    def visit(each: str, way: tuple[str, ...]) -> None:
        if each in way:
            raise ModuleFormError(f"{each} imports itself by way of {way[-1]}")
        if each not in scripts:
            raise ModuleFormError(f"{way[-1]} imports {each}, which is not there")
        for line in _IMPORT.finditer(scripts[each]):
            target = _target(each, line)
            if target not in found:
                visit(target, (*way, each))
                found.append(target)

    visit(name, ())
    return found


def join(names: Iterable[str], scripts: Mapping[str, str], place: str) -> str:
    """These modules, in this order, as one that lies at `place`. Raises ModuleFormError."""
    names = list(names)
    parts: list[str] = []
    exported: dict[str, str] = {}
    for name in names:
        own = _exports(name, scripts[name])
        for each in own:
            if each in exported:
                raise ModuleFormError(f"{name} exports {each}, and so does {exported[each]}")
            exported[each] = name
        script = _EXPORT.sub("", _IMPORT.sub(_renames, scripts[name]))
        script = _repoint(_DYNAMIC, name, script, names, place, seen_from=place)
        offered = ", ".join(own)
        parts.append(
            f"// {name}\nconst {{ {offered} }} = (() => {{\n{script}\nreturn {{ {offered} }};\n}})();\n"
        )
    return f"{''.join(parts)}export {{ {', '.join(exported)} }};\n"


def use_joined(name: str, script: str, joined: Iterable[str], place: str) -> str:
    """A module that gets from the joined one at `place` what it imports from those in it."""
    joined = list(joined)
    for imports in (_IMPORT, _DYNAMIC):
        script = _repoint(imports, name, script, joined, place, seen_from=name)
    return script


def _repoint(
    imports: re.Pattern[str], name: str, script: str, joined: list[str], place: str, seen_from: str
) -> str:
    """The script of a module, its imports as they are right in a file at `seen_from`."""

    def path(line: re.Match[str]) -> str:
        target = _target(name, line)
        found = posixpath.relpath(place if target in joined else target, posixpath.dirname(seen_from))
        return line[0].replace(f'"{line["path"]}"', f'"{found if found.startswith(".") else f"./{found}"}"')

    return imports.sub(path, script)


def _exports(name: str, script: str) -> list[str]:
    for line in _OTHER.findall(script):
        if not _IMPORT.match(line) and not _EXPORT.match(line):
            raise ModuleFormError(f"{name} cannot be joined with others for this line: {line}")
    return _EXPORT.findall(script)


def _renames(line: re.Match[str]) -> str:
    """What stays of an import: a joined module sees what those before it export, but by its own name."""
    renamed = (each.split(" as ") for each in line["names"].split(", ") if " as " in each)
    return " ".join(f"const {new} = {old};" for old, new in renamed)


def _target(name: str, line: re.Match[str]) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), line["path"]))
