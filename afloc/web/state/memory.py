"""Memory of the server that nothing uses any more."""

import ctypes
from contextlib import suppress


def return_unused() -> None:
    """Give back to the system what was freed. The C library of Linux keeps much of it: 46 MB of what loading
    a model takes, and more after large images. It takes some milliseconds."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
