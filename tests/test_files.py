import subprocess
import sys

import pytest

from afloc.files import folder_beside, whole_file, whole_folder, write_text


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "summary.json"
    for text in ("first", "second"):
        write_text(path, text)
        assert path.read_text() == f"{text}\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("alone", [False, True])
def test_an_error_leaves_what_was_there(tmp_path, alone):
    path = tmp_path / "checkpoint.pt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), whole_file(path, alone) as written:
        written.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_when_it_is_full(tmp_path):
    path = tmp_path / "000000"
    with pytest.raises(ValueError), whole_folder(path) as written:
        (written / "a").touch()
        raise ValueError
    assert not list(tmp_path.iterdir())
    with whole_folder(path) as written:
        (written / "a").touch()
        assert not path.exists()
    assert [each.name for each in path.iterdir()] == ["a"]


def test_of_two_that_write_the_same_folder_the_first_stays(tmp_path):
    path = tmp_path / "000000"
    with whole_folder(path) as slow:
        (slow / "slow").touch()
        with whole_folder(path) as fast:
            (fast / "fast").touch()
    assert [each.name for each in path.iterdir()] == ["fast"] and list(tmp_path.iterdir()) == [path]
    (tmp_path / "file").touch()
    with pytest.raises(OSError), whole_folder(tmp_path / "file"):
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
from afloc.files import whole_file
with whole_file(Path(sys.argv[1]), alone=True) as written:
    written.write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_with_the_next_writing(tmp_path):
    path = tmp_path / "pictures.npy"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, path])
        left = [each for each in tmp_path.rglob("*") if each.is_file()]
        assert len(left) == 1, "each killed process would leave another"
    with folder_beside(path, alone=True) as folder:
        assert not list(folder.iterdir())
    assert not list(tmp_path.iterdir())
