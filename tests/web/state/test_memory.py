import subprocess
import sys

import pytest

# Freed pieces between kept ones, on the heap: the C library gives none of their pages back by itself.
CALL = """
from pathlib import Path
from afloc.web.state.memory import return_unused
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * 4096
pieces = [bytes(8192) for _ in range(8000)]
kept = pieces[::16]
del pieces
before = resident()
return_unused()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_freed_is_given_back():
    done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 20 << 20
