"""The ratings of a study as the raw data file of the iMRMC software."""

from pathlib import Path

from afloc.errors import DataError
from afloc.feedback.analysis.data_frames import double_readings, study_frame
from afloc.feedback.store.store import Store
from afloc.feedback.studies.reference_standard import references
from afloc.feedback.studies.versions import Selection


def write_imrmc(store: Store, path: Path, selected: Selection) -> list[Path]:
    """Write sizes, then a line for each rating: reader, case, modality (here the arm), score.

    The truth of each case stands as reader -1. Repeated cases are left out. The first line names the version,
    and what is left out or pooled. DataError where there is no rating of a case whose truth is known.
    """
    study = selected.study
    if study.presence is None:
        raise DataError(f"The study {study.id} asks for no rating of presence, which iMRMC is about.")
    frame = study_frame(store, study, selected.versions)
    column, known = f"q_{study.presence}", references(store, study)
    frame = frame[(frame["repeat"] == 0) & frame[column].notna() & frame["case_id"].isin(known)]
    if frame.empty:
        raise DataError(
            f"The study {study.id} has no rating of a case whose truth is known: import the reference."
        )
    truths = {case: int(known[case].truth) for case in sorted(frame["case_id"].unique())}
    lines = [
        " ".join((f"AFLoc study {study.id}, version {selected.name}.", *selected.notes)),
        *double_readings(store, study.id),
        f"N0: {list(truths.values()).count(0)}",
        f"N1: {list(truths.values()).count(1)}",
        f"NR: {frame['reader'].nunique()}",
        f"NM: {frame['arm'].nunique()}",
        "",
        "BEGIN DATA:",
        *(f"-1,{case},0,{truth}" for case, truth in truths.items()),
    ]
    for row in frame.sort_values(["arm", "reader", "case_id"]).itertuples(index=False):
        lines.append(f"{row.reader},{row.case_id},{row.arm},{int(getattr(row, column))}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [path]
