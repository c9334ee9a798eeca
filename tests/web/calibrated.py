"""The embedded model with a calibration in which everything that an answer may tell is filled in."""

import json
import shutil
from pathlib import Path

from afloc.model.calibration import BINS

RISING, FALLING = list(range(BINS)), list(range(BINS, 0, -1))
COUNTS = {"n_present": sum(RISING), "n_absent": sum(FALLING), "ill": RISING, "healthy": FALLING}


def write_calibrated_model(embedded: Path, folder: Path) -> Path:
    """Verdicts on effusions and pneumothoraces have figures, sides of effusions are judged, normality too;
    verdicts on nodules miss nearly every one. Maps have more cells than what the model sees."""
    shutil.copytree(embedded, folder)
    config = json.loads((folder / "config.json").read_text())
    chest = config["calibration"]["chest_xray"]
    good = COUNTS | {"hits": 120, "rejections": 190}
    chest["performance"] = {
        "pleural_effusion": good,
        "pneumothorax": COUNTS | {"hits": 87, "rejections": 200},
        "nodule": COUNTS | {"hits": 9, "rejections": 205},
    }
    chest["side_margins"] = {"pleural_effusion": {"margin": 0.1, "right": 0.86, "n": 240}}
    pathologies = [
        "pleural_effusion",
        "pneumothorax",
        "hydropneumothorax",
        "pleural_thickening",
        "cardiomegaly",
    ]
    chest["normality"] = {"findings": pathologies, "threshold": 0.0, "performance": good}
    chest["detail"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    return folder
