import subprocess
import sys

from tests import no_locks

CODE = """
import sys
from pathlib import Path
from afloc.web.state.locked_folders import lock_folder, remove_abandoned
locked = lock_folder(Path(sys.argv[1]), "upload-")
remove_abandoned(Path(sys.argv[1]), "upload-")
print(locked.path.is_dir())
locked.remove()
print(any(Path(sys.argv[1]).iterdir()))
"""


def test_a_folder_is_held_where_the_file_system_keeps_no_locks(tmp_path):
    """And nobody removes it, since nobody can know whether its process lives."""
    command = [sys.executable, "-c", CODE, tmp_path / "uploads"]
    done = subprocess.run(command, env=no_locks.environment(tmp_path), capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"], done.stderr
