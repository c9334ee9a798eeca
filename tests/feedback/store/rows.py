"""Rows to save, and programs that save them."""

import subprocess
import sys
from dataclasses import replace

from afloc.feedback.store.events import Event

SCRIPT = """
import sys
from afloc.errors import StoreError
from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
"""


def run_script(code: str, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", SCRIPT + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def full_event(**changes) -> Event:
    event = Event(
        "feedback",
        session="s",
        image_digest="a" * 64,
        image_width=640,
        image_height=480,
        modality="chest_xray",
        description="left pleural effusion",
        model="afloc-mini 1",
        model_fingerprint="0123456789ab",
        protocol="native",
        threshold=0.5,
        display={"window": [10, 200], "invert": False},
        score=0.81,
        probability=0.9,
        present=True,
        model_regions=[{"box": [1, 2, 3, 4.5], "score": 0.9}],
        answers={"agreement": "partly", "confidence": 4},
        comment="Größer als gezeichnet; '); DROP TABLE events; --\n\ud83e",
        regions=[{"outline": [[0, 0], [10, 0], [5, 8.25]]}],
        visible_ms=1234,
        there="yes",
        place="partly",
        asked={"status": "affirmed", "finding": "pleural_effusion", "side": "left", "statements": []},
        holds=False,
        side={"named": "left", "seen": "right", "agrees": False},
        doubt="none",
        active_ms=1000,
    )
    return replace(event, **changes)


def new_id() -> str:
    return Event("feedback").id
