import subprocess
import sys

import pytest

from afloc.cli.main import COMMANDS, main
from tests.released import REFERENCE

FILM = str(REFERENCE / "images" / "pattern_3.png")  # 150 x 301


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def test_convert(capsys, tmp_path, released_checkpoint):
    assert run("convert", released_checkpoint, tmp_path / "folder") == 0
    assert (tmp_path / "folder" / "config.json").is_file()
    assert run("convert", released_checkpoint, tmp_path / "folder") == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["locate", "no/such/film.png", "effusion"],
        ["locate", FILM, "effusion", "--model", "no/such/model"],
        ["locate", FILM, "effusion", "--model", FILM],
        ["locate", FILM, "..."],
        ["locate", FILM, "effusion", "--out", FILM],
        ["classify", FILM, "--findings", ","],
    ],
)
def test_an_error_is_one_sentence(capsys, small_folder, arguments):
    if "--model" not in arguments:
        arguments = [*arguments, "--model", small_folder]
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1 and captured.err.endswith(".\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["locate", FILM],
        ["find", FILM],
        ["locate", FILM, "a", "--threshold", "nan"],
        ["locate", FILM, "a", "--device", "tpu"],
    ],
)
def test_a_wrong_command_is_one_sentence(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


OF_THE_MODEL = dict.fromkeys(
    ("locate", "classify", "embed", "evaluate", "convert", "serve", "bench"), {"--model", "--device"}
)
OF_THE_MODEL |= {"deploy": {"--model"}, "train": {"--device"}}


@pytest.mark.parametrize("command", [add.__name__.removeprefix("add_") for add in COMMANDS])
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as caught:
        run(command, "--help")
    assert caught.value.code == 0
    words = set(capsys.readouterr().out.replace("[", " ").split())
    assert {"--model", "--device"} & words == OF_THE_MODEL.get(command, set())


HELP = """
import sys
import afloc.__main__
from afloc.cli.main import COMMANDS, main
afloc.AFLocError
for command in [[add.__name__.removeprefix("add_")] for add in COMMANDS] + [["--version"]]:
    try:
        main([*command, "--help"])
    except SystemExit as end:
        assert end.code == 0
    slow = {"torch", "duckdb", "pandas", "numpy", "pyarrow", "plotly", "gradio"} & sys.modules.keys()
    assert not slow, f"{command}: {slow}"
"""


def test_import_and_help_wait_for_no_library():
    subprocess.run([sys.executable, "-c", HELP], check=True, stdout=subprocess.DEVNULL)
