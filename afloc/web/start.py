"""The way in for `app.py` and `afloc serve`."""

import gc
import sys
import threading

from afloc.settings import Settings
from afloc.web.listening import listen
from afloc.web.logs import set_up_log


def start(settings: Settings) -> None:
    """Load what the page needs, and serve it until told to stop. Raises AFLocError."""
    set_up_log(settings.log)
    listening = listen(settings)  # first: no model is loaded for nothing where the port is taken
    # What is imported and built stays for good. To look through it for garbage again and again would take a
    # sixth of the start; `launch` has it looked for from then on.
    gc.disable()
    # The thread that computes gives way to those that answer others after half a millisecond, not after five.
    sys.setswitchinterval(0.0005)
    from afloc.inference.model import load_model

    model = load_model(settings.model, settings.device)
    threading.Thread(target=model.open_encoders, daemon=True).start()  # while gradio is imported
    from afloc.web.serve import launch

    launch(settings, model, listening)
