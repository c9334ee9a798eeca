"""What a steeper display curve does to the measures: `python -m tests.evaluation.display_curve RUN [SOURCE]`.

RUN is a folder that `evaluate` wrote; its maps are those on the grid of the run. SOURCE: of which cases, by
the beginning of its name. Prints each measure's mean over findings, as the map is and under the curve.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from afloc.evaluation.catalogue import MEASURES
from afloc.evaluation.chunks import CaseFiles
from afloc.evaluation.map_grids import from_map_grid
from afloc.evaluation.measure import LOCALIZATION, measure


def sharpen(heatmap: np.ndarray) -> np.ndarray:
    """A steep display curve, laid over a map by its own mean and deviation. It rises everywhere, so the order
    of the pixels stays."""
    heatmap = heatmap.astype(np.float64)
    return 1 / (1 + np.exp(-2 * (heatmap - heatmap.mean() - heatmap.std()) / heatmap.std()))


def main(folder: Path, source: str = "") -> None:
    parts = sorted((folder / "parts").iterdir())
    files = CaseFiles(parts)
    cases = pa.concat_tables([pq.read_table(part / "cases.parquet") for part in parts]).to_pylist()
    found: dict[str, list] = {}
    for number, case in enumerate(cases):
        if case["source"].startswith(source):
            grid, mask = files.model_maps[number].astype(np.float32), files.mask(number)
            heatmap = from_map_grid(grid, *mask.shape, "native")
            pair = measure(heatmap, mask), measure(sharpen(heatmap), mask)
            found.setdefault(case["label"], []).append(
                [[getattr(each, key) for key in LOCALIZATION] for each in pair]
            )
    plain, sharp = np.mean([np.nanmean(each, axis=0) for each in found.values()], axis=0)
    print(f"{sum(map(len, found.values()))} cases of {len(found)} findings")
    for key, before, after in zip(LOCALIZATION, plain, sharp, strict=True):
        print(f"{MEASURES[key].name:34} {before:.3f} -> {after:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
