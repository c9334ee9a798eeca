"""The way in for `app.py` and `afloc serve`."""

import gc

from afloc.settings import Settings


def start(settings: Settings) -> None:
    """Load what the page needs, and serve it until told to stop. Raises AFLocError."""
    # What is imported and built stays for good. To look through it for garbage again and again would take a
    # sixth of the start; `launch` has it looked for from then on.
    gc.disable()
    from afloc.web.serve import launch

    launch(settings)
