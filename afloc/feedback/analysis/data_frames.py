"""What the store holds, as tables to work on."""

from collections.abc import Sequence

import pandas as pd

from afloc.errors import DataError
from afloc.feedback.store.store import Store
from afloc.feedback.studies.study import Study, study_from_definition
from afloc.feedback.studies.versions import read_versions, versions_like

BOX = ("x", "y", "width", "height")


PROBE_QUESTIONS = {
    "there": "Is the finding there?",
    "place": "Is the place right that the map shows?",
    "agreement": "In one word: is the answer right?",
}
"""The questions of the Probe tab, and the one in which named endpoints and earlier versions ask both."""


def overview(store: Store) -> pd.DataFrame:
    """How often each answer to the Probe tab's questions was given: question (of PROBE_QUESTIONS), modality,
    description, model, answer, count.

    Rows of versions that did not ask for `there` and `place` are among those of `agreement` alone.
    """
    columns = {"there": "there", "place": "place", "agreement": "answers ->> '$.agreement'"}
    asked = " UNION ALL ".join(
        f"SELECT {number} AS place_in_page, '{name}' AS question, modality, description, model, "
        f"{column} AS answer FROM answers WHERE kind = 'feedback' AND {column} IS NOT NULL"
        for number, (name, column) in enumerate(columns.items())
    )
    return store.frame(
        f"SELECT *, count(*) AS count FROM ({asked}) GROUP BY ALL "
        "ORDER BY place_in_page, count DESC, description, answer"
    ).drop(columns="place_in_page")


def double_readings(store: Store, study_id: str | None = None) -> list[str]:
    """A sentence for each study, or for this one, in which a slot has several readings, none a correction of
    the other: by an import, a late restore, or two windows of an earlier AFLoc."""
    query = (
        "SELECT study, count(*) AS slots FROM (SELECT study, count(*) AS readings FROM events "
        "WHERE kind = 'reading' AND id NOT IN (SELECT replaces FROM events WHERE replaces IS NOT NULL) "
        "AND study = coalesce(?, study) GROUP BY study, reader, case_id, arm, repeat) "
        "WHERE readings > 1 GROUP BY study ORDER BY study"
    )
    return [
        f"Study {row['study']}: {row['slots']:,} times a reader answered a case in the same arm more than "
        "once, not as a correction; the answer saved last counts, and every row is kept."
        for row in store.rows(query, [study_id])
    ]


def kept_studies(store: Store) -> dict[str, Study]:
    """The studies that have answers, by id, in the version that was read last."""
    ids = store.rows("SELECT study FROM studies GROUP BY study ORDER BY min(time), study")
    versions = {row["study"]: read_versions(store, row["study"]) for row in ids}
    return {
        name: study_from_definition(next(each.definition for each in reversed(found) if each.definition))
        for name, found in versions.items()
    }


def kept_study(store: Store, study_id: str) -> Study:
    """DataError where the store holds no answer to it."""
    studies = kept_studies(store)
    if study_id not in studies:
        known = f"; it has {', '.join(studies)}" if studies else ""
        raise DataError(f"The store has no answer to a study {study_id!r}{known}.")
    return studies[study_id]


def study_frame(store: Store, study: Study, versions: Sequence[str] | None = None) -> pd.DataFrame:
    """The readings of a study that stand, one a row: those of `versions`, without them those that mean the
    same as in `study` as it is (`versions_like`).

    Columns reader, case_id, description, arm, period, repeat, seconds (in this reading alone, without those
    in which nobody was there; see `reading_times.compare_times`), idle (the seconds left out, NaN where that
    is not known), score, present, model, model_fingerprint, regions and model_regions (JSON text), regions_x,
    _y, _width and _height (of the box where they are one, and the same of model_regions), region_ratings
    (JSON text, where regions are rated), and `q_ID` for each
    question: the level of a rating or choice from 1, or text.
    """
    columns: list[str] = []
    parameters: list[object] = []
    for question in study.questions:
        if column := question.column():
            columns.append(f'{column.sql} AS "q_{question.id}"')
            parameters += column.parameters
        elif question.type.drawn and question.labels:
            columns.append("CAST(answers -> ? AS VARCHAR) AS region_ratings")
            parameters.append(f'$."{question.id}"')
    for name in ("regions", "model_regions"):  # most are: so few are left to be read one by one
        alone = f"json_array_length({name}) = 1 AND NOT json_exists({name}, '$[0].outline')"
        box = f"CASE WHEN {alone} THEN TRY_CAST({name} -> '$[0].box' AS DOUBLE[4]) END"
        columns += (f"({box})[{index}] AS {name}_{side}" for index, side in enumerate(BOX, start=1))
    extra = "".join(", " + column for column in columns)
    frame = store.frame(
        "SELECT reader, case_id, description, arm, period, repeat, "
        "coalesce(active_ms, visible_ms) / 1000.0 AS seconds, "
        "(visible_ms - active_ms) / 1000.0 AS idle, score, present, model, model_fingerprint, "
        f"regions, model_regions{extra} FROM events "
        "WHERE id IN (SELECT id FROM answers WHERE kind = 'reading' AND study = ?) "
        "AND list_contains(?::VARCHAR[], coalesce(study_version, '')) ORDER BY seq",
        [*parameters, study.id, list(versions_like(store, study) if versions is None else versions)],
    )
    return frame.astype(dict.fromkeys(("reader", "case_id", "description", "arm"), "category"))
