"""An error as one sentence, the same for every route."""

import logging
import traceback
from pathlib import Path

from afloc.errors import AFLocError
from afloc.web.metrics import METRICS

UNEXPECTED = "Something went wrong on the server; please try again."
NO_MEMORY = "The server has no memory left for this; please try again later, or with a smaller image."


log = logging.getLogger(__name__)


def explain(error: Exception) -> str:
    """One sentence for the user.

    An unexpected error is logged by its kind and place alone: its message may hold what someone typed or what
    a file contained.
    """
    if isinstance(error, AFLocError):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # PyTorch's RuntimeError
        return NO_MEMORY
    METRICS.count("unexpected")
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s in %s, line %s", type(error).__name__, Path(place.filename).name, place.lineno)
    return UNEXPECTED
