"""Which finding a mask picture marks, as far as its file's name says."""

import re
from pathlib import PurePath

from afloc.language.findings import find_by_label

_ENDINGS = {  # of the masks of IDRiD
    "MA": "microaneurysm",
    "HE": "haemorrhage",
    "EX": "hard exudate",
    "SE": "soft exudate",
    "OD": "optic disc",
}
_WORDS = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SHORTEST = 3  # letters of a name; two may stand for anything


def finding_of_file(name: str) -> str | None:
    """The known finding that a file's name holds, in its words; None where it holds none, or several.

    "film-07_pleural-effusion_mask.png" is "pleural effusion", "IDRiD_55_MA.tif" is "microaneurysm".
    """
    stem = PurePath(name.replace("\\", "/")).stem
    words = _WORDS.findall(_CAMEL.sub(" ", stem))
    found: list[str] = []
    start = 0
    while start < len(words):
        for end in range(len(words), start, -1):
            text = " ".join(words[start:end])
            if len(text) >= _SHORTEST and find_by_label(text):
                found.append(text.lower())
                start = end - 1
                break
        start += 1
    if not found and words and words[-1] in _ENDINGS:
        return _ENDINGS[words[-1]]
    return found[0] if len(set(found)) == 1 else None
