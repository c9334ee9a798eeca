"""`afloc serve`: the page."""

import argparse
import os

from afloc.cli.options import add_model


def add_serve(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("serve", help="start the page; its settings are environment variables")
    parser.add_argument("--host", metavar="ADDRESS", help="as AFLOC_HOST: where the page listens")
    parser.add_argument("--port", metavar="PORT", help="as AFLOC_PORT")
    add_model(parser, default_device=None)  # AFLOC_DEVICE says, where nothing is given
    parser.set_defaults(run=run_serve)


def run_serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop. An argument that is given beats its environment variable."""
    from afloc.settings import read_settings
    from afloc.web.start import start

    given = {
        f"AFLOC_{name.upper()}": getattr(arguments, name) for name in ("host", "port", "model", "device")
    }
    start(read_settings(os.environ | {name: value for name, value in given.items() if value is not None}))
