"""The command line: one parser, one module a command."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from afloc import __version__
from afloc.cli.bench import add_bench
from afloc.cli.calibrate import add_calibrate
from afloc.cli.evaluate import add_evaluate
from afloc.cli.image_tables import add_embed
from afloc.cli.locate import add_classify, add_locate
from afloc.cli.password import add_password
from afloc.cli.serve import add_serve
from afloc.cli.space import add_deploy
from afloc.cli.train import add_convert, add_train
from afloc.errors import AFLocError
from afloc.text import one_line

USAGE_ERROR = 2


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def add_feedback(commands: argparse._SubParsersAction) -> None:
    from afloc.cli.feedback import add_feedback_commands

    add_feedback_commands(commands.add_parser("feedback", help="what readers said: sum up, export, import"))


def add_study(commands: argparse._SubParsersAction) -> None:
    from afloc.cli.study import add_study_commands

    add_study_commands(commands.add_parser("study", help="check a reader study, write its report"))


COMMANDS: tuple[Callable[[argparse._SubParsersAction], None], ...] = (
    add_locate,
    add_classify,
    add_embed,
    add_evaluate,
    add_convert,
    add_train,
    add_calibrate,
    add_feedback,
    add_study,
    add_serve,
    add_password,
    add_bench,
    add_deploy,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0, or 2 after one sentence on stderr."""
    parser = Parser(prog=_program(), description="Describe a finding, see where it is in a medical image.")
    parser.add_argument("--version", action="version", version=f"afloc {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except AFLocError as error:
        print(one_line(str(error), 2000), file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        print(
            f"{error.strerror or type(error).__name__}: {one_line(str(error.filename or 'a file'))}.",
            file=sys.stderr,
        )
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    return 0


def _program() -> str:
    """How this was started: `afloc` once it is installed, else `python -m afloc`."""
    return "afloc" if Path(sys.argv[0]).stem == "afloc" else "python -m afloc"
