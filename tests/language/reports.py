"""The sentences of real reports, where the data lies beside the checkout; and how the reader takes them.

`python -m tests.language.reports` shows how many sentences are unknown, and whether what is read of a
description is what training reads of the same sentence.
"""

import csv
from collections import Counter
from functools import cache
from pathlib import Path

from afloc.language.reading import read
from afloc.language.statements import AFFIRMED, HEDGED, UNKNOWN, read_statements
from afloc.language.words import words_of
from afloc.training.data.reports import clean_report, split_sentences

CHEST = "chest_xray"
DATA = next(
    (each / "shared" / "data" for each in Path(__file__).parents if (each / "shared" / "data").is_dir()), None
)


@cache
def sentences(split: str) -> tuple[str, ...]:
    """The different sentences of the Indiana reports in "train" or "eval"."""
    assert DATA is not None
    found: dict[str, None] = {}
    with (DATA / CHEST / f"{split}.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["source"].startswith("Indiana"):
                parts = row["findings"], row["impression"]
                for text in parts if any(parts) else (row["text"],):
                    found |= dict.fromkeys(split_sentences(clean_report(text)))
    return tuple(found)


def known_words() -> frozenset[str]:
    return frozenset(words_of(sentences("train")))


def unknown_share(split: str) -> float:
    known = known_words()
    unknown = [read(each, CHEST, known).main.status == UNKNOWN for each in sentences(split)]
    return sum(unknown) / len(unknown)


def differences(split: str) -> Counter:
    """How often a description is read as training reads the sentence, and how it differs elsewhere; that the
    whole chest is normal does not count."""
    known, found = known_words(), Counter()
    for sentence in sentences(split):
        reading = read(sentence, CHEST, known)
        asked = {(each.finding_id, each.status) for each in reading.statements}
        taught = {(each.finding_id, each.status) for each in read_statements(sentence, CHEST)}
        asked, taught = (
            {each for each in said if each[0] not in ("", "normal_chest")} for said in (asked, taught)
        )
        if reading.unknown_words:
            found["not understood" if taught else "same"] += 1
        elif {each for each, _ in asked} != {each for each, _ in taught}:
            found["a structure alone" if not taught else "other findings"] += 1
        elif _there(asked) != _there(taught):
            found["other statuses"] += 1
        else:
            found["same" if asked == taught else "probable"] += 1
    return found


def _there(said: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(finding, AFFIRMED if status == HEDGED else status) for finding, status in said}


if __name__ == "__main__":
    for split in ("train", "eval"):
        print(
            split,
            len(sentences(split)),
            f"sentences, unknown {unknown_share(split):.2%},",
            dict(differences(split)),
        )
