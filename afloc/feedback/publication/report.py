"""The report of a study: design, flow of readers and cases, results, deviations, versions.

Its parts are those that CONSORT and STARD ask for; what is not known is said to be so.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata

import pandas as pd

from afloc.evaluation.figures.style import draw
from afloc.feedback import erasure
from afloc.feedback.analysis.data_frames import double_readings, study_frame
from afloc.feedback.analysis.reading_times import explain_times
from afloc.feedback.analysis.results import Results, analyse, explain
from afloc.feedback.publication import study_plots
from afloc.feedback.publication.document import Document
from afloc.feedback.publication.key_figures import KeyFigure, key_figures
from afloc.feedback.publication.tables import TITLES, tables_of
from afloc.feedback.store.store import Store
from afloc.feedback.studies.readings import has_consented
from afloc.feedback.studies.reference_standard import Reference, references
from afloc.feedback.studies.schedule import TRAINING, schedule
from afloc.feedback.studies.study import Study
from afloc.feedback.studies.versions import Selection, select_versions

DESIGNS = {
    "unaided": "Every case is read without the model.",
    "aided": "Every case is read with the model's map, score and cautions on the screen.",
    "unaided_then_aided": "Every case is read without the model and, at once, again with it.",
    "crossover": "Every case is read in both arms, half of them first without the model; the other arm comes "
    "after the wash-out.",
}
TOOLS = ("numpy", "scipy", "pandas", "duckdb", "matplotlib")
IN_FULL = ("counts", "curves", "afroc_curves", "pairs")  # tables that go beside the report, not into it


@dataclass(frozen=True, eq=False)
class Publication:
    """What is published of a study: the readings that count, and all that was worked out from them."""

    selected: Selection
    frame: pd.DataFrame
    references: Mapping[str, Reference]
    found: Results
    flow: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def study(self) -> Study:
        return self.selected.study

    @property
    def key_figures(self) -> list[KeyFigure]:
        return key_figures(self.flow, self.found)

    def figures(self, kind: str = "svg") -> dict[str, bytes]:
        """The figures that the study has, by name; `kind`: svg, png or pdf."""
        drawn = {name: draw(partial(study_plots.plot, name, self.found), kind) for name in study_plots.TITLES}
        return {name: content for name, content in drawn.items() if content is not None}


def gather(store: Store, study_id: str, version: str | None = None) -> Publication:
    """Work a study out; `version` as `select_versions` has it. DataError where nothing of it is kept."""
    selected = select_versions(store, study_id, version)
    study = selected.study
    frame, known = study_frame(store, study, selected.versions), references(store, study)
    notes = [
        *selected.notes,
        *double_readings(store, study.id),
        *filter(None, [explain_times(study)]),
        *(explain(study, frame) if len(frame) else []),
    ]
    return Publication(
        selected, frame, known, analyse(study, frame, known), count_flow(store, study, frame), tuple(notes)
    )


def count_flow(store: Store, study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Reader, Agreed ("yes", "no"), Training (answers), Asked for, Given, Missing (readings that count)."""
    trained = {
        row["reader"]: row["n"]
        for row in store.rows(
            "SELECT reader, count(DISTINCT (case_id, arm)) AS n FROM events WHERE kind = 'training' "
            "AND study = ? GROUP BY reader",
            [study.id],
        )
    }
    given = frame["reader"].value_counts()
    rows = []
    for reader in study.readers:
        asked = sum(slot.period != TRAINING for slot in schedule(study, reader))
        count = int(given.get(reader, 0))
        agreed = "yes" if has_consented(store, study, reader) else "no"
        rows.append((reader, agreed, trained.get(reader, 0), asked, count, max(asked - count, 0)))
    return pd.DataFrame(rows, columns=["Reader", "Agreed", "Training", "Asked for", "Given", "Missing"])


def write_report(store: Store, published: Publication) -> Document:
    """The report of a study: design, questions, flow of readers and cases, all results, and what limits
    them."""
    study, flow = published.study, published.flow
    document = Document(f"{study.title}: report")
    document.say(
        f"Study {study.id}, version {published.selected.name}. Written by AFLoc on "
        f"{datetime.now(UTC):%Y-%m-%d at %H:%M} UTC. Research use only; not for diagnosis."
    )
    for figure in published.key_figures:
        document.list([f"{figure.label}: {figure.value}. {figure.detail}".strip()])
    document.head("Design")
    document.list(_design(study))
    document.head("Questions", 3)
    document.list(
        [
            f"{question.text} ({question.kind}{': ' + ', '.join(question.labels) if question.labels else ''}"
            f"{'' if question.required else '; optional'})"
            for question in study.questions
        ]
    )
    document.head("Flow of readers and cases")
    document.list(_flow(study, published))
    document.table(flow)
    document.head("Results")
    document.say(
        "Intervals are 95%. There is none from fewer than ten patients or images; cases of one patient or "
        "image count as one. Differences are aided minus unaided, of the same readers on the same cases, by "
        "the Obuchowski–Rockette analysis with Hillis' degrees of freedom."
    )
    for name, table in tables_of(published.found).items():
        if name not in IN_FULL:
            document.head(TITLES[name], 3)
            document.table(table)
    for name, svg in published.figures().items():
        document.figure(name, study_plots.TITLES[name], svg)
    document.head("How to read the figures")
    document.list(published.notes or ["Nothing is left out, and nothing stands out."])
    document.head("Deviations from the protocol")
    document.list(_deviations(store, study))
    document.head("Versions")
    document.list(_versions(store, published))
    return document


def _design(study: Study) -> Sequence[str]:
    truths = [case.truth for case in study.cases]
    facts = [
        DESIGNS[study.design],
        f"{len(study.readers)} readers, {len(study.cases)} cases: {truths.count(True)} with the finding, "
        f"{truths.count(False)} without it, {truths.count(None)} not known to the protocol.",
        f"Each reader has an order of their own (seed {study.seed}).",
    ]
    if study.by:
        facts.append(f"By {study.by}. Contact: {study.contact or 'not given'}.")
    if study.training:
        told = ", with the reference standard shown after the answer" if study.training_feedback else ""
        facts.append(f"{len(study.training)} training cases come first and do not count{told}.")
    if any(case.block for case in study.cases):
        facts.append(f"Of the rotating blocks each reader reads {study.blocks_each}.")
    if study.repeats:
        facts.append(f"{study.repeats} cases come a second time, unannounced, in each period.")
    if study.design == "crossover":
        facts.append(f"Wash-out: {study.washout_days:g} days.")
    facts.append(
        f"Readers may {'return to earlier cases' if study.back else 'not return to earlier cases'}"
        f"{' and change their answers' if study.edit else ''}."
    )
    if study.protocol:
        facts.append(f"Protocol locked on {study.protocol.started}: SHA-256 {study.protocol.sha256}.")
    else:
        facts.append("The protocol was not locked when the study was started.")
    return facts


def _flow(study: Study, published: Publication) -> Sequence[str]:
    flow, frame = published.flow, published.frame
    first = frame[frame["repeat"] == 0]
    begun, complete = (flow["Given"] > 0).sum(), ((flow["Given"] > 0) & (flow["Missing"] == 0)).sum()
    readers = (
        first.groupby("case_id", observed=True)["reader"].nunique() if len(first) else pd.Series(dtype=int)
    )
    by_arm = frame.groupby("arm", observed=True).size() if len(frame) else pd.Series(dtype=int)
    arms = ", ".join(f"{count:,} {arm}" for arm, count in by_arm.items()) or "none"
    return [
        f"Readers: {len(flow)} in the study, {(flow['Agreed'] == 'yes').sum()} agreed, {begun} began, "
        f"{complete} gave every reading, {begun - complete} {'has' if begun - complete == 1 else 'have'} "
        "readings missing.",
        f"Readings: {flow['Asked for'].sum():,} asked for, {flow['Given'].sum():,} given ({arms}), "
        f"{flow['Missing'].sum():,} missing. Missing readings are not filled in.",
        f"Cases: {len(study.cases)} in the study, {len(readers)} read by anybody, "
        f"{int((readers == begun).sum()) if begun else 0} by every reader who began; the truth of "
        f"{len(published.references)} is known.",
    ]


def _deviations(store: Store, study: Study) -> Sequence[str]:
    said = [f"{each.time}, version {each.version}: {each.reason}" for each in study.deviations]
    said += erasure.erasures(store, study.id)
    return said or ["None is recorded."]


def _versions(store: Store, published: Publication) -> Sequence[str]:
    models = published.frame[["model", "model_fingerprint"]].dropna().drop_duplicates()
    named = [f"Model: {model}, {mark}." for model, mark in models.itertuples(index=False)]
    tools = ", ".join(f"{tool} {metadata.version(tool)}" for tool in TOOLS)
    return [
        f"AFLoc {_own_version()}; Python {platform.python_version()}; {tools}.",
        *(named or ["Model: no reading has its answer."]),
        f"Readings counted: {len(published.frame):,}, of version {', '.join(published.selected.versions)}; "
        f"the last row of the database is number {store.last_seq:,}.",
    ]


def _own_version() -> str:
    try:
        return metadata.version("afloc")
    except metadata.PackageNotFoundError:
        return "from its source"
