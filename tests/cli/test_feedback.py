import json
import subprocess
import sys

import pytest

from afloc.cli.main import main
from afloc.feedback.studies.study_file import FOLDER

DEMO = FOLDER / "demo.toml"


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def test_export_import_and_summary(capsys, filled_folder, tmp_path):
    out, again = tmp_path / "out.csv", tmp_path / "again"
    assert run("feedback", "export", "--to", out, "--data", filled_folder) == 0
    assert "Wrote" in capsys.readouterr().out and out.is_file()
    assert run("feedback", "import", out, "--data", again) == 0
    capsys.readouterr()
    summaries = []
    for folder in (filled_folder, again):
        assert run("feedback", "summary", "--study", "simulated", "--json", "--data", folder) == 0
        summaries.append(json.loads(capsys.readouterr().out))
    assert summaries[0] == summaries[1] and len(summaries[0]["agreement"]) == 6
    assert run("feedback", "summary", "--data", again) == 0
    assert "partly" in capsys.readouterr().out


def test_reference(capsys, filled_folder, tmp_path):
    run("feedback", "export", "--to", tmp_path / "out.parquet", "--data", filled_folder)
    run("feedback", "import", tmp_path / "out.parquet", "--data", tmp_path)
    (tmp_path / "truth.csv").write_text("case,truth\nc0,0\n")
    arguments = ("--study", "simulated", "--data", tmp_path)
    assert run("feedback", "reference", tmp_path / "truth.csv", *arguments) == 0
    assert run("feedback", "export", "--to", tmp_path / "out.imrmc", *arguments) == 0
    assert "N0: 7\nN1: 5\n" in (tmp_path / "out.imrmc").read_text()


def test_study_check_and_order(capsys, tmp_path):
    assert run("study", "check", DEMO) == 0
    output = capsys.readouterr().out
    assert "8 cases, 3 readers, crossover" in output and "wash-out" in output
    assert run("study", "order", DEMO, "R1") == 0
    assert len(capsys.readouterr().out.splitlines()) == 21


def test_study_code_is_the_one_of_the_page(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("AFLOC_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("AFLOC_STUDIES_DIR", raising=False)
    assert run("study", "code") == run("study", "code") == 0
    once, again = capsys.readouterr().out.split()
    kept = tmp_path / "studies" / ".coordinator-code"
    assert once == again == kept.read_text().strip() and kept.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("AFLOC_COORDINATOR_CODE", "a-code-of-ones-own")
    assert run("study", "code") == 2
    assert "a-code-of-ones-own" not in capsys.readouterr().err


def test_study_check_opens_the_images(capsys, tmp_path):
    (tmp_path / "film.png").write_bytes(b"no image")
    text = DEMO.read_text().replace("example:retina", "film.png")
    (tmp_path / "s.toml").write_text(text)
    assert run("study", "check", tmp_path / "s.toml") == 2
    assert "cases[5].image: This is not an image" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["feedback", "export", "--to", "x.csv", "--data", "no/such/folder"],
        ["feedback", "import", "no/such.csv"],
        ["study", "check", "no/such.toml"],
        ["study", "order", str(DEMO), "R9"],
    ],
)
def test_an_error_is_one_sentence(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.setenv("AFLOC_DATA_DIR", str(tmp_path))
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and error.endswith(".\n")


def test_help_waits_for_no_database():
    code = "import afloc.__main__ as m, sys\ntry: m.main(['feedback', 'export', '--help'])\n"
    code += "except SystemExit: assert not {'duckdb', 'pandas', 'torch', 'statsmodels'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_erase(capsys, filled_folder, tmp_path, monkeypatch):
    data = tmp_path / "data"
    run("feedback", "export", "--to", tmp_path / "out.parquet", "--data", filled_folder)
    run("feedback", "import", tmp_path / "out.parquet", "--data", data)
    monkeypatch.setenv("AFLOC_BACKUP_DIR", str(tmp_path / "bucket"))
    reader = ("feedback", "erase", "--study", "simulated", "--reader", "R1", "--data", data)
    capsys.readouterr()
    assert run(*reader) == 0
    assert "This would erase 31 rows (1 consent, 30 reading). Say --yes" in capsys.readouterr().out
    assert run(*reader, "--yes") == 0
    assert capsys.readouterr().out.startswith("Erased 31 rows")
    assert (tmp_path / "bucket" / "feedback.parquet").is_file()
    assert run(*reader, "--yes") != 0 and "nothing to erase" in capsys.readouterr().err
    case = ("feedback", "erase", "--study", "simulated", "--case", "c0", "--data", data, "--yes")
    assert run(*case) == 0 and "reading)" in capsys.readouterr().out
    digest = ("feedback", "erase", "--image", f"{'c1':0>64}", "--data", data)
    assert run(*digest) == 0 and "would erase 5 rows (5 reading)" in capsys.readouterr().out
    run("feedback", "export", "--to", tmp_path / "left.csv", "--data", data)
    left = (tmp_path / "left.csv").read_text()
    assert ",R1,simulated," not in left and ",R2,simulated," in left and ",erasure," in left
