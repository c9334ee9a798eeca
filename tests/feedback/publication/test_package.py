import hashlib
import io
import zipfile

import pandas as pd
from PIL import Image

from afloc.feedback.publication.package import package


def test_the_package_is_whole(published, study):
    store, found = published
    archive = zipfile.ZipFile(io.BytesIO(package(store, found)))
    files = {name.removeprefix(f"{study.id}/"): archive.read(name) for name in archive.namelist()}
    sums = dict(line.split("  ")[::-1] for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    expected = {
        "data/simulated.csv",
        "data/simulated.parquet",
        "data/simulated.json",
        "report.md",
        "report.html",
    }
    expected |= {f"figures/{name}.{kind}" for name in ("roc", "auc", "times") for kind in ("svg", "png")}
    assert expected | {"data/simulated.simulated.study.json", "tables/roc.csv", "README.md"} <= set(files)
    table = pd.read_csv(io.BytesIO(files["tables/roc.csv"]))
    assert table["AUC"].tolist() == found.found.roc["auc"].tolist() and "95% from" in table
    picture = Image.open(io.BytesIO(files["figures/roc.png"]))
    assert round(picture.info["dpi"][0]) == 300 and picture.width > 1000
    assert b"<svg" in files["figures/roc.svg"] and b"<text" in files["figures/roc.svg"]
    assert not any("demo-1" in content.decode(errors="replace") for content in files.values())  # no code
