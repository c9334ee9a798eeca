"""The way in for `app.py` and `afloc serve`."""

import gc
import sys

from afloc.settings import Settings


def start(settings: Settings) -> None:
    """Load what the page needs, and serve it until told to stop. Raises AFLocError."""
    # What is imported and built stays for good. To look through it for garbage again and again would take a
    # sixth of the start; `launch` has it looked for from then on.
    gc.disable()
    # The thread that computes gives way to those that answer others after half a millisecond, not after five.
    sys.setswitchinterval(0.0005)
    from afloc.web.serve import launch

    launch(settings)
