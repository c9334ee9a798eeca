"""`afloc password`: hash the password of the page."""

import argparse
import sys

from afloc.errors import SettingsError


def add_password(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("password", help="hash a password for AFLOC_PASSWORD")
    parser.set_defaults(run=run_password)


def run_password(arguments: argparse.Namespace) -> None:
    import getpass

    from afloc.passwords import SHORTEST, hash_password

    ask = getpass.getpass if sys.stdin.isatty() else lambda _: sys.stdin.readline().rstrip("\n")
    password = ask("Password: ")
    if len(password) < SHORTEST:
        raise SettingsError(f"The password is too short: give at least {SHORTEST} characters.")
    print(hash_password(password))
