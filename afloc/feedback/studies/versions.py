"""The versions of a study: whose readings are counted together, and what is said of the others.

A study whose file is changed between two readings has readings of two versions, which may have asked other
questions or shown other images. What is counted is therefore always a `Selection`, with its notes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from afloc.errors import DataError
from afloc.feedback.store.store import Store
from afloc.feedback.studies.study import NOT_OF_THE_VERSION, Study, study_from_definition, version_of

ALL = "all"


@dataclass(frozen=True)
class Version:
    """A version of a study that the store knows.

    `definition`: as `Study.definition` gave it then, None where it is not kept. `readings`: how many stand.
    `first`: the number (`seq`) of the first of them, 0 without any.
    """

    name: str
    definition: Mapping[str, Any] | None
    readings: int = 0
    first: int = 0

    @property
    def covers_images(self) -> bool:
        """Whether the version stands for the images too; those that older AFLocs kept do not."""
        return any("digest" in case for case in (self.definition or {}).get("cases", ()))


@dataclass(frozen=True)
class Selection:
    """What is counted: the readings of `versions`, by the definition `study` of version `name`.

    `notes`: sentences on what is left out, and on what is counted together though it is not quite the same.
    """

    name: str
    study: Study
    versions: tuple[str, ...]
    notes: tuple[str, ...]


def read_versions(store: Store, study_id: str) -> tuple[Version, ...]:
    """The versions of a study; the one that was read last is at the end, those nobody has read are first."""
    rows = store.rows(
        "SELECT coalesce(kept.version, given.version) AS name, definition, "
        "coalesce(readings, 0) AS readings, coalesce(first, 0) AS first "
        "FROM (SELECT version, time, definition FROM studies WHERE study = ?) AS kept FULL JOIN ("
        "  SELECT coalesce(study_version, '') AS version, count(*) AS readings, min(seq) AS first, "
        "  max(seq) AS last FROM answers WHERE kind = 'reading' AND study = ? GROUP BY 1"
        ") AS given ON kept.version = given.version ORDER BY coalesce(last, 0), time, name",
        [study_id, study_id],
    )
    return tuple(Version(**row) for row in rows)


def select_versions(store: Store, study_id: str, version: str | None = None) -> Selection:
    """The readings to count: those of the version that was read last, of another one, or of ALL.

    With a version count those that mean the same (`versions_like`). DataError for a version that there is
    not, or whose definition is not kept.
    """
    versions = read_versions(store, study_id)
    chosen = _choose(versions, study_id, version)
    same = _alike(versions, chosen)
    counted = tuple(each.name for each in versions if version == ALL or each.name in same)
    exchanged = _cases_with_several_images(store, study_id, counted)
    others = [each for each in versions if each.readings and each is not chosen]
    notes = [f"Counted: {_count(chosen)} of version {chosen.name}."] if others else []
    for each in others:
        notes.append(_describe(each, chosen, each.name in same, version == ALL, bool(exchanged)))
    if exchanged:
        more = f" and {len(exchanged) - 10} more" if len(exchanged) > 10 else ""
        names = ", ".join(exchanged[:10])
        notes.append(f"Not the same image in all readings that are counted: case {names}{more}.")
    assert chosen.definition is not None  # `_choose` has looked
    return Selection(chosen.name, study_from_definition(chosen.definition), counted, tuple(notes))


def versions_like(store: Store, study: Study) -> tuple[str, ...]:
    """The versions whose readings mean the same as those of `study` as it is.

    That is its own, one that differs in the list of readers alone, and one from before versions covered the
    images that is the same otherwise.
    """
    definition = json.loads(json.dumps(study.definition()))
    versions = read_versions(store, study.id)
    own = (each for each in versions if each.name == study.version and each.definition)
    return _alike(versions, next(own, Version(study.version, definition)))


def _choose(versions: Sequence[Version], study_id: str, version: str | None) -> Version:
    known = {each.name: each for each in versions}
    chosen: Version | None
    if version and version != ALL:
        if version not in known:
            names = ", ".join(each.name for each in versions if each.readings)
            raise DataError(f"The study {study_id} has no version {version!r}; it has {names or 'none'}.")
        chosen = known[version]
    else:
        chosen = next((each for each in reversed(versions) if each.definition), None)
    if chosen is None or chosen.definition is None:
        raise DataError("The definition of this version of the study is not kept: export its rows instead.")
    return chosen


def _alike(versions: Sequence[Version], chosen: Version) -> tuple[str, ...]:
    return tuple(
        each.name for each in versions if each.name == chosen.name or _is_same(each, chosen, versions)
    )


def _is_same(version: Version, chosen: Version, versions: Sequence[Version]) -> bool:
    """Whether readings of `version` mean the same as those of `chosen`."""
    if version.definition is None:  # but an older AFLoc may have called that of `chosen` by this name
        assert chosen.definition is not None  # `_choose` has looked
        definition = _without_images(chosen.definition)
        if version_of(definition) != version.name:
            return False
        version = replace(version, definition=definition)
    if not _differences(version.definition, chosen.definition) <= {"readers"}:
        return False
    if version.covers_images == chosen.covers_images:
        return True
    older, newer = sorted((version, chosen), key=lambda each: each.covers_images)
    alike = [
        each
        for each in versions
        if each.covers_images and each.readings
        if _differences(older.definition, each.definition) <= {"readers"}
    ]
    follower = min(alike, key=lambda each: each.first, default=newer)  # not one with an image exchanged later
    return "images" not in _differences(follower.definition, newer.definition)


def _differences(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> set[str]:
    """The keys in which two definitions differ; "images" where both say which those are."""
    assert one is not None and other is not None  # only kept definitions are compared
    images = [
        {case["id"]: case["digest"] for case in each["cases"] if "digest" in case} for each in (one, other)
    ]
    found = {"images"} if all(images) and images[0] != images[1] else set()
    one, other = _without_images(one), _without_images(other)
    keys = (one.keys() | other.keys()).difference(NOT_OF_THE_VERSION)
    return found | {key for key in keys if one.get(key) != other.get(key)}


def _without_images(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as it was kept before versions covered the images."""
    cases = [{key: value for key, value in case.items() if key != "digest"} for case in definition["cases"]]
    return {**definition, "cases": cases}


def _describe(version: Version, chosen: Version, same: bool, pooled: bool, exchanged: bool) -> str:
    what = f"{_count(version)} of version {version.name or 'unknown'}"
    keys = sorted(_differences(version.definition, chosen.definition)) if version.definition else []
    if version.definition is None:
        what += ", whose definition is not kept"
    elif keys:
        what += f", which differs in {', '.join(keys)}"
    if not same:
        how = f": they are counted by the questions of version {chosen.name}" if pooled else ""
        return f"{'Pooled' if pooled else 'Left out'}: {what}{how}."
    if version.covers_images != chosen.covers_images:
        when = "from before versions covered" if chosen.covers_images else "since versions cover"
        found = "an exchange" if exchanged else "none"
        what += f", the same study {when} the images: the version does not say whether any was exchanged"
        what += f", the digests kept with the readings show {found}"
    return f"Counted together: {what}."


def _cases_with_several_images(store: Store, study_id: str, versions: Sequence[str]) -> list[str]:
    rows = store.rows(
        "SELECT case_id FROM answers WHERE kind = 'reading' AND study = ? "
        "AND list_contains(?::VARCHAR[], coalesce(study_version, '')) "
        "GROUP BY case_id HAVING count(DISTINCT image_digest) > 1 ORDER BY case_id",
        [study_id, list(versions)],
    )
    return [row["case_id"] for row in rows]


def _count(version: Version) -> str:
    return f"{version.readings:,} reading{'' if version.readings == 1 else 's'}"
