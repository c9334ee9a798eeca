"""How alike the maps of one finding are, however it is said.

python -m tests.language.granularity DATA/chest_xray/eval.csv assets/models/afloc-mini

Each finding that is boxed in a film of NIH is described by a name, a phrase, a sentence and a report of four
sentences that speaks of other things too. What is printed is how each two of the maps correlate: the mean,
the least, and how many there were.
"""

import sys
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np

from afloc import load_model, read_image
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.inference.model import Model
from afloc.language.findings import FindingEntry, find_by_label


def descriptions(finding: FindingEntry) -> dict[str, str]:
    """A finding in four lengths."""
    said = f"There is {finding.name}."
    absent = "No pneumothorax." if finding.id != "pneumothorax" else "No pleural effusion."
    return {
        "name": finding.name,
        "phrase": f"marked {finding.name}",
        "sentence": said,
        "report": f"The cardiac silhouette is assessed. {said} {absent} Bony structures are unremarkable.",
    }


def correlations(model: Model, table: Path) -> dict[tuple[str, str], list[float]]:
    """Of each two lengths, the correlation of their maps on each boxed finding of each film."""
    found = defaultdict(list)
    for row in read_dataset(table).rows:
        if not row.source.startswith("NIH"):
            continue
        view = model.encode(read_image(row.path), "chest_xray")
        for label in sorted({truth.label for truth in row.truths}):
            asked = descriptions(find_by_label(label, "chest_xray"))
            maps = dict(zip(asked, view.locate_all(list(asked.values())), strict=True))
            for one, other in combinations(asked, 2):
                pair = np.corrcoef(maps[one].heatmap.ravel(), maps[other].heatmap.ravel())
                found[one, other].append(float(pair[0, 1]))
    return found


if __name__ == "__main__":
    for (one, other), each in correlations(load_model(sys.argv[2], "cpu"), Path(sys.argv[1])).items():
        print(f"{one:9}{other:9}{np.mean(each):.3f}, at least {np.min(each):.3f}, {len(each)} times")
