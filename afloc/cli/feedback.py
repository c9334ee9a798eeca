"""`python -m afloc feedback …` and `python -m afloc study …`."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.feedback.export_formats import FORMATS
from afloc.text import one_line

if TYPE_CHECKING:
    from afloc.feedback.store.store import Store


def add_feedback_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command = commands.add_parser("export", help="write rows, regions or ratings to a file")
    command.add_argument("--to", type=Path, required=True, metavar="FILE", help="the file to write")
    command.add_argument(
        "--format", choices=FORMATS, help=f"default: by the ending {' '.join(FORMATS.values())}"
    )
    command.add_argument("--study", metavar="ID", help="this study only (default: everything)")
    _add_version(command, "for .imrmc and .xlsx: ")
    _add_data(command, run_export)
    command = commands.add_parser("import", help="add the rows of an exported CSV or Parquet file")
    command.add_argument("file", type=Path, metavar="FILE")
    _add_data(command, run_import)
    command = commands.add_parser(
        "erase", help="take the rows of one reader or of one image out for good, backup and copies too"
    )
    command.add_argument("--study", metavar="ID", help="of this study (without it: of the Probe tab)")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--reader", metavar="NAME", help="all that this reader did")
    which.add_argument("--case", metavar="ID", help="all that was said of the image of this case")
    which.add_argument(
        "--image", metavar="FILE", help="the same of an image file, or of a digest of an export"
    )
    which.add_argument("--older-than", type=float, metavar="DAYS", help="all rows of before that")
    command.add_argument("--yes", action="store_true", help="do it; without this, say what it would be")
    _add_data(command, run_erase)
    command = commands.add_parser("summary", help="counts; with --study agreement, reading time, ROC")
    command.add_argument("--study", metavar="ID", help="the study to analyse")
    _add_version(command)
    command.add_argument("--json", action="store_true", help="the tables as JSON")
    _add_data(command, run_summary)
    command = commands.add_parser("reference", help="import the reference standard of a study")
    command.add_argument("file", type=Path, metavar="FILE", help="CSV with case, truth (1 or 0) and boxes")
    command.add_argument("--study", required=True, metavar="ID", help="the study it is for")
    _add_data(command, run_reference)


def add_study_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command = commands.add_parser("check", help="read a study and its images; say what is wrong with it")
    command.add_argument("file", type=Path, metavar="FILE", help="a study, such as assets/studies/demo.toml")
    command.set_defaults(run=run_check)
    command = commands.add_parser(
        "report", help="the report of a study, or all that is published of it in one ZIP file"
    )
    command.add_argument("study", metavar="ID", help="a study with answers")
    command.add_argument(
        "--to", type=Path, required=True, metavar="FILE", help="report.html, report.md or X.zip"
    )
    _add_version(command)
    _add_data(command, run_report)
    command = commands.add_parser("order", help="what a reader reads, in which order and arm")
    command.add_argument("file", type=Path, metavar="FILE", help="a study, such as assets/studies/demo.toml")
    command.add_argument("reader", metavar="READER", help="the reader's name in the study")
    command.set_defaults(run=run_order)
    command = commands.add_parser("code", help="the code that signs in the coordinator of this page")
    command.set_defaults(run=run_code)
    command = commands.add_parser(
        "power", help="how many readers and cases find a difference in AUC (multi-reader multi-case)"
    )
    command.add_argument(
        "--difference", type=float, default=0.05, metavar="D", help="in AUC, to be found (default: 0.05)"
    )
    command.add_argument("--cases", type=int, metavar="N", help="also the power with so many cases")
    command.add_argument("--power", type=float, default=0.8, metavar="P", help="wanted (default: 0.8)")
    command.add_argument("--pilot", metavar="ID", help="a study with answers, for what varies; or guess it:")
    command.add_argument("--auc", type=float, default=0.85, metavar="A", help="expected (default: 0.85)")
    command.add_argument(
        "--positive", type=float, default=0.5, metavar="S", help="share of positive cases (default: 0.5)"
    )
    command.add_argument(
        "--reader-range",
        type=float,
        default=0.05,
        metavar="R",
        help="how much readers differ in what the aid brings, in AUC, least to most (default: 0.05)",
    )
    _add_data(command, run_power)


def run_export(arguments: argparse.Namespace) -> None:
    from afloc.feedback.export import export

    with _store(arguments) as store:
        for path in export(store, arguments.to, arguments.format, arguments.study, arguments.study_version):
            print(f"Wrote {path}.")


def run_import(arguments: argparse.Namespace) -> None:
    from afloc.feedback.analysis.data_frames import double_readings
    from afloc.feedback.export import import_rows

    with _store(arguments, create=True) as store:
        print(f"Added {import_rows(store, arguments.file):,} rows.")
        for notice in double_readings(store):
            print(notice)


def run_erase(arguments: argparse.Namespace) -> None:
    from afloc.errors import DataError
    from afloc.feedback import erasure
    from afloc.feedback.backup import Backup
    from afloc.settings import read_settings

    study = arguments.study
    if arguments.case and not study:
        raise DataError("A case is one of a study: say which study with --study.")
    with _store(arguments) as store:
        if arguments.reader:
            wanted = erasure.of_reader(store, arguments.reader, study)
        elif arguments.older_than is not None:
            wanted = erasure.of_age(store, arguments.older_than)
        else:
            digests = (
                erasure.digests_of_case(store, study, arguments.case)
                if arguments.case
                else _image_digests(arguments.image)
            )
            wanted = erasure.of_image(store, digests, study)
        if not arguments.yes and wanted.ids:
            print(f"This would erase {wanted}. Say --yes to do it; nothing brings them back.")
            return
        erasure.erase(store, wanted)
        settings = read_settings()
        if settings.backup_dir:
            backup = Backup(store, settings.backup_dir, settings.backup_minutes)
            backup.close()
            if backup.problem:
                raise DataError(f"Erased here, not yet in the copy; the next copy does it. {backup.problem}")
    print(f"Erased {wanted}. Files exported before still have them: export them anew.")


def _image_digests(name: str) -> list[str]:
    """Of each frame of an image file; a digest is taken as it is."""
    from afloc.imaging.image import read_image

    if re.fullmatch("[0-9a-f]{64}", name):
        return [name]
    first = read_image(name)
    return [first.digest, *(read_image(name, frame=frame).digest for frame in range(1, first.frames))]


def run_summary(arguments: argparse.Namespace) -> None:
    from afloc.errors import DataError
    from afloc.feedback.analysis.data_frames import double_readings, kept_study, overview, study_frame
    from afloc.feedback.analysis.reading_times import explain_times
    from afloc.feedback.analysis.results import analyse, explain
    from afloc.feedback.studies.reference_standard import references
    from afloc.feedback.studies.versions import select_versions

    if arguments.study_version and not arguments.study:
        raise DataError("A version is one of a study: say which study with --study.")
    with _store(arguments) as store:
        tables, counted, notes = {"feedback": overview(store)}, {}, []
        if arguments.study:
            kept_study(store, arguments.study)
            selected = select_versions(store, arguments.study, arguments.study_version)
            study, frame = selected.study, study_frame(store, selected.study, selected.versions)
            tables = vars(analyse(study, frame, references(store, study)))
            notes = [*selected.notes, *filter(None, [explain_times(study)]), *explain(study, frame)]
            counted = {"version": selected.name, "versions": selected.versions, "notes": notes}
        notices = store.notices + double_readings(store, arguments.study)
    if arguments.json:
        named = {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
        print(json.dumps(named | counted | {"notices": notices}, indent=2))
        return
    for name, table in tables.items():
        print(f"{name}\n{table.round(3).to_string(index=False) if len(table) else 'nothing yet'}\n")
    for sentence in (*notes, *notices):
        print(sentence)


def run_reference(arguments: argparse.Namespace) -> None:
    from afloc.feedback.analysis.data_frames import kept_study
    from afloc.feedback.studies.reference_standard import import_reference

    with _store(arguments) as store:
        saved = import_reference(store, kept_study(store, arguments.study), arguments.file)
    print(f"Saved the reference standard of {len(saved)} cases.")


def run_check(arguments: argparse.Namespace) -> None:
    from afloc.errors import SettingsError
    from afloc.feedback.studies.schedule import schedule
    from afloc.feedback.studies.study_check import check_study

    name, checked = arguments.file.name, check_study(arguments.file)
    study = checked.study
    if study is None or checked.faults:
        *others, last = [f"{name}: {fault.sentence}." for fault in checked.faults]
        for sentence in others:
            print(one_line(sentence, 2000), file=sys.stderr)
        raise SettingsError(last)
    totals = {len(schedule(study, reader)) for reader in study.readers}
    total = " to ".join(str(each) for each in sorted({min(totals), max(totals)}))
    print(f"{study.title}: {len(study.cases)} cases, {len(study.readers)} readers, {study.design}.")
    print(f"Each reader gives {total} readings. Version {study.version}.")
    if study.training:
        print(f"They begin with {len(study.training)} training cases, which do not count.")
    rating = next((question for question in study.questions if question.id == study.presence), None)
    if rating:
        print(f"ROC, sensitivity and specificity are of the rating {rating.id}: {rating.text}")
    for advice in checked.advice:
        print(f"Think of this: {advice}")


def run_code(_: argparse.Namespace) -> None:
    from afloc.errors import SettingsError
    from afloc.feedback.studies.access import keep_code
    from afloc.feedback.studies.study_folder import choose_folder
    from afloc.settings import read_settings

    settings = read_settings()
    if settings.coordinator_code:
        raise SettingsError("The code of the page's coordinator is the one in AFLOC_COORDINATOR_CODE.")
    folder = choose_folder(settings.studies_dir, settings.data_dir)
    code = keep_code(folder)
    if code is None:
        raise SettingsError(f"No code can be kept in {folder}: set AFLOC_COORDINATOR_CODE.")
    print(code)


def run_report(arguments: argparse.Namespace) -> None:
    from afloc.errors import DataError
    from afloc.feedback.analysis.data_frames import kept_study
    from afloc.feedback.publication.package import package
    from afloc.feedback.publication.report import gather, write_report

    ending = arguments.to.suffix.lower()
    if ending not in (".html", ".md", ".zip"):
        raise DataError("End the file in .html or .md for the report, or in .zip for the data package.")
    with _store(arguments) as store:
        kept_study(store, arguments.study)
        published = gather(store, arguments.study, arguments.study_version)
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        if ending == ".zip":
            arguments.to.write_bytes(package(store, published))
        else:
            document = write_report(store, published)
            text = document.html() if ending == ".html" else document.markdown()
            arguments.to.write_text(text, encoding="utf-8")
            if ending == ".md":
                for name, svg in published.figures().items():
                    path = arguments.to.parent / "figures" / f"{name}.svg"
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(svg)
    print(f"Wrote {arguments.to}.")


def run_order(arguments: argparse.Namespace) -> None:
    from afloc.feedback.studies.schedule import schedule
    from afloc.feedback.studies.study_file import read_study

    print("place  period  case  arm  repeat")
    for slot in schedule(read_study(arguments.file), arguments.reader):
        print(f"{slot.index + 1:5}  {slot.period:6}  {slot.case.id}  {slot.arm}  {slot.repeat}")


def run_power(arguments: argparse.Namespace) -> None:
    from afloc.feedback.analysis.data_frames import study_frame
    from afloc.feedback.analysis.planning import guess, of_study, plan
    from afloc.feedback.studies.reference_standard import references
    from afloc.feedback.studies.versions import select_versions

    if arguments.pilot:
        with _store(arguments) as store:
            selected = select_versions(store, arguments.pilot)
            frame = study_frame(store, selected.study, selected.versions)
            found = of_study(selected.study, frame, references(store, selected.study))
    else:
        found = guess(arguments.auc, arguments.positive, arguments.reader_range)
    table = plan(found, arguments.difference, arguments.power, arguments.cases)
    print(table.dropna(axis=1, how="all").round(3).to_string(index=False, na_rep="too many"))
    print(
        f"Cases needed for a power of {arguments.power:g} to find a difference of {arguments.difference:g} "
        "in AUC at the 5% level, where every reader reads every case in both arms; readers and cases random."
    )


def _add_version(parser: argparse.ArgumentParser, where: str = "") -> None:
    parser.add_argument(
        "--study-version",
        metavar="VERSION",
        help=f"{where}the readings of this version of the study, or all to pool them (default: the version "
        "read last)",
    )


def _add_data(parser: argparse.ArgumentParser, run) -> None:
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="the data folder, or the URL of a Postgres (default: AFLOC_DATA_URL or _DIR)",
    )
    parser.set_defaults(run=run)


def _store(arguments: argparse.Namespace, create: bool = False) -> "Store":
    from afloc.errors import StoreError
    from afloc.feedback.store.postgres import is_url
    from afloc.feedback.store.store import FILE_NAME, Store
    from afloc.settings import read_settings

    settings = read_settings()
    location = arguments.data or settings.data_url or settings.data_dir
    if is_url(location):
        return Store(location)
    folder = Path(location)
    if not create and not (folder / FILE_NAME).exists():
        raise StoreError(f"There is no feedback in {folder}: name the data folder with --data.")
    return Store(folder)
