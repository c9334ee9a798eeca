"""`python -m afloc study …`."""

import argparse
import sys
from pathlib import Path

from afloc.cli.feedback import add_data, add_version, open_store
from afloc.text import one_line


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
    add_version(command)
    add_data(command, run_report)
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
    add_data(command, run_power)


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
    with open_store(arguments) as store:
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
        with open_store(arguments) as store:
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
