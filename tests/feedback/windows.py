"""A reader's window on another replica: `python -m tests.feedback.windows PLACE READER`.

Prints "ready", then for each line with an index and an id what saving an answer on that case of `STUDY`
gives: the id of the row, or the sentence that it is refused with.
"""

import dataclasses
import sys

from afloc.errors import AFLocError
from afloc.feedback.store.store import Store
from afloc.feedback.studies.readings import save_reading
from afloc.feedback.studies.study_file import FOLDER, read_study

STUDY = dataclasses.replace(read_study(FOLDER / "demo.toml"), back=False, edit=False, consent="")

if __name__ == "__main__":
    with Store(sys.argv[1]) as store:
        print("ready", flush=True)
        for line in sys.stdin:
            index, name = line.split()
            try:
                print(
                    save_reading(store, STUDY, sys.argv[2], int(index), {"sure": 3}, id=name).id, flush=True
                )
            except AFLocError as error:
                print(error, flush=True)
