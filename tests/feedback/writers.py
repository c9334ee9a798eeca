"""Eight threads that save answers until they are killed: `python -m tests.feedback.writers FOLDER`.

Prints "ready", then the id of each answer once it is acknowledged, one write a line.
"""

import os
import sys
import threading

from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store


def save_answers(store: Store, reader: str) -> None:
    number = 0
    while True:
        number += 1
        event = Event("feedback", reader=reader, comment=f"{reader} {number} " + "x" * 200, visible_ms=number)
        saved = store.record(event)
        os.write(1, f"{saved.id} {number}\n".encode())


if __name__ == "__main__":
    opened = Store(sys.argv[1])
    os.write(1, b"ready\n")
    for writer in range(8):
        threading.Thread(target=save_answers, args=(opened, f"R{writer}")).start()
