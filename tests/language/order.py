"""How many triplets a model orders rightly: `python -m tests.language.order MODEL`, a model folder.

Of a triplet (a description, the same in other words, and something else) the same should be the nearer one,
by the cosine of the vectors of a level.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from torch.nn import functional

from afloc import load_model
from afloc.inference.model import Model
from afloc.model.similarity import LEVELS, text_vectors

TRIPLETS = Path(__file__).parent / "triplets.csv"


def ordered(model: Model) -> dict[str, dict[str, list[bool]]]:
    """Whether each triplet is in order, by level, then by kind: negation, side, zone, finding."""
    with TRIPLETS.open(newline="", encoding="utf-8") as file:
        triplets = list(csv.DictReader(file))
    nearer = {level: defaultdict(list) for level in LEVELS}
    for triplet in triplets:
        tokens = [model.read_text(triplet[role])[0] for role in ("description", "same", "other")]
        texts = [text_vectors(features) for features in model.encode_texts(tokens)]
        for level, found in nearer.items():
            asked, same, other = (getattr(vectors, level)[0] for vectors in texts)
            near, far = (float(functional.cosine_similarity(asked, each, dim=0)) for each in (same, other))
            found[triplet["kind"]].append(near > far)
    return nearer


if __name__ == "__main__":
    for level, found in ordered(load_model(sys.argv[1], "cpu")).items():
        print(level)
        for kind, each in {**found, "all": sum(found.values(), [])}.items():
            print(f"  {kind:10}{np.mean(each):6.1%} of {len(each)}")
