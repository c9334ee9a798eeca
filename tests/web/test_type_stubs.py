import os
import subprocess
import sys
from pathlib import Path

COMPONENT = "from gradio.components import HTML\n\n\nclass Shown(HTML):\n    pass\n"


def test_gradio_writes_no_stub_beside_a_component(tmp_path):
    """It parses every class for that, which takes a second of each start."""
    (tmp_path / "shown.py").write_text(COMPONENT)
    root = str(Path(__file__).parents[2])
    paths = {"PYTHONPATH": os.pathsep.join((root, str(tmp_path)))}
    for first in ("", "import afloc.web\n"):
        call = f"{first}from shown import Shown\nassert Shown().get_block_name() == 'html'"
        subprocess.run([sys.executable, "-c", call], env=os.environ | paths, check=True)
        written = tmp_path / "shown.pyi"
        assert written.exists() == (not first)  # gradio itself writes one
        written.unlink(missing_ok=True)
