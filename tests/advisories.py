"""What is known against the packages of the lock: `python -m tests.advisories FILE [FILE …]`.

Needs no network. Reads advisories of OSV (https://osv.dev: one, a list, the ZIP file of an ecosystem) or the
JSON of pip-audit. Prints a line for each that concerns a version of requirements.lock. The status is 1 where
there is one, and 2 where a file cannot be read.
"""

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

LOCK = Path(__file__).parents[1] / "requirements.lock"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


def read_lock(path: Path) -> dict[str, Version]:
    """The version of each package."""
    pins = _PIN.findall(path.read_text(encoding="utf-8"))
    return {canonicalize_name(name): Version(version) for name, version in pins}


def read_advisories(path: Path) -> Iterator[dict[str, Any]]:
    """The advisories in a file, those of pip-audit in the form of OSV; ValueError for another file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    yield from _unpack(json.loads(archive.read(name)))
    else:
        yield from _unpack(json.loads(path.read_text(encoding="utf-8")))


def _unpack(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, list):
        for each in found:
            yield from _unpack(each)
    elif "dependencies" in found:  # pip-audit: what it found against versions it was given
        for package in found["dependencies"]:
            for each in package.get("vulns", ()):
                versions = {"package": {"name": package["name"]}, "versions": [package["version"]]}
                yield {**each, "affected": [versions], "fixed": each.get("fix_versions")}
    elif "vulns" in found:
        yield from _unpack(found["vulns"])
    elif "id" in found and "affected" in found:
        yield found
    elif "id" not in found:
        raise ValueError("It is neither OSV nor pip-audit JSON.")


def concerns(affected: dict[str, Any], name: str, version: Version) -> bool:
    """Whether a part of an advisory is about this version of this package."""
    package = affected.get("package", {})
    if canonicalize_name(package.get("name", "")) != name or package.get("ecosystem", "PyPI") != "PyPI":
        return False
    if any(_version(each) == version for each in affected.get("versions", ())):
        return True
    ranges = (each for each in affected.get("ranges", ()) if each.get("type") == "ECOSYSTEM")
    return any(_is_in(each["events"], version) for each in ranges)


def _is_in(events: list[dict[str, str]], version: Version) -> bool:
    """Events are in the order of versions: introduced, fixed (the first without), last_affected."""
    inside = False
    for event in events:
        ((kind, text),) = event.items()
        at = Version("0") if text == "0" else _version(text)
        if at is None:
            continue
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", help="advisories: OSV (JSON or ZIP) or pip-audit JSON")
    parser.add_argument("--lock", type=Path, default=LOCK)
    arguments = parser.parse_args(given)
    packages, found, read = read_lock(arguments.lock), set(), 0
    for path in arguments.files:
        try:
            for advisory in read_advisories(path):
                read += 1
                for affected in advisory["affected"]:
                    name = canonicalize_name(affected.get("package", {}).get("name", ""))
                    if name in packages and concerns(affected, name, packages[name]):
                        summary = " ".join(
                            (advisory.get("summary") or advisory.get("description") or "").split()
                        )
                        found.add(f"{name} {packages[name]}: {advisory['id']} {summary[:100]}".rstrip())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"{path} cannot be read: {type(error).__name__}.", file=sys.stderr)
            return 2
    print("\n".join(sorted(found)) or f"None of {read:,} advisories concerns the {len(packages)} packages.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
