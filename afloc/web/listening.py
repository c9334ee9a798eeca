"""The socket that the page answers on."""

import os
import socket

from afloc.errors import SettingsError
from afloc.settings import Settings

FIRST_PORT, PORTS = 7860, 100
BACKLOG = 2048  # connections that the system keeps until they are accepted


def listen(settings: Settings) -> socket.socket:
    """The socket the page answers on; SettingsError where the port, or every one that may be, is taken."""
    host = settings.host or os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    first = settings.port or int(os.environ.get("GRADIO_SERVER_PORT", FIRST_PORT))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(first, first + (1 if settings.port else PORTS)):
        try:
            return socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
        except OSError:
            continue
    raise SettingsError(f"Port {first} of {host} cannot be used: give another AFLOC_PORT or AFLOC_HOST.")
