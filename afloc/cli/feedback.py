"""`python -m afloc feedback …`."""

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.feedback.export_formats import FORMATS

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
    add_version(command, "for .imrmc and .xlsx: ")
    add_data(command, run_export)
    command = commands.add_parser("import", help="add the rows of an exported CSV or Parquet file")
    command.add_argument("file", type=Path, metavar="FILE")
    add_data(command, run_import)
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
    add_data(command, run_erase)
    command = commands.add_parser("summary", help="counts; with --study agreement, reading time, ROC")
    command.add_argument("--study", metavar="ID", help="the study to analyse")
    add_version(command)
    command.add_argument("--json", action="store_true", help="the tables as JSON")
    add_data(command, run_summary)
    command = commands.add_parser("reference", help="import the reference standard of a study")
    command.add_argument("file", type=Path, metavar="FILE", help="CSV with case, truth (1 or 0) and boxes")
    command.add_argument("--study", required=True, metavar="ID", help="the study it is for")
    add_data(command, run_reference)


def run_export(arguments: argparse.Namespace) -> None:
    from afloc.feedback.export import export

    with open_store(arguments) as store:
        for path in export(store, arguments.to, arguments.format, arguments.study, arguments.study_version):
            print(f"Wrote {path}.")


def run_import(arguments: argparse.Namespace) -> None:
    from afloc.feedback.analysis.data_frames import double_readings
    from afloc.feedback.export import import_rows

    with open_store(arguments, create=True) as store:
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
    with open_store(arguments) as store:
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
    with open_store(arguments) as store:
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

    with open_store(arguments) as store:
        saved = import_reference(store, kept_study(store, arguments.study), arguments.file)
    print(f"Saved the reference standard of {len(saved)} cases.")


def add_version(parser: argparse.ArgumentParser, where: str = "") -> None:
    parser.add_argument(
        "--study-version",
        metavar="VERSION",
        help=f"{where}the readings of this version of the study, or all to pool them (default: the version "
        "read last)",
    )


def add_data(parser: argparse.ArgumentParser, run) -> None:
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="the data folder, or the URL of a Postgres (default: AFLOC_DATA_URL or _DIR)",
    )
    parser.set_defaults(run=run)


def open_store(arguments: argparse.Namespace, create: bool = False) -> "Store":
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
