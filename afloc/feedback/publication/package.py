"""The data package of a study: one ZIP file with rows, tables, figures, protocol, report and their hashes."""

import hashlib
import io
import zipfile
from pathlib import Path

from afloc.feedback.export import export
from afloc.feedback.publication.mrmc_files import mrmc_files
from afloc.feedback.publication.report import Publication, write_report
from afloc.feedback.publication.tables import TITLES, tables_of
from afloc.feedback.store.store import Store
from afloc.files import temporary_folder

DATA = {"csv": "csv", "parquet": "parquet", "coco": "json"}
_ABOUT = """# {title}: data package

data/      every row of the study as CSV and Parquet, what was drawn as COCO; a dictionary of the columns; the
           protocol with all its versions (study.json)
mrmc/      {mrmc}
tables/    {tables}
figures/   each figure as SVG and as PNG with 300 dots an inch
report.md, report.html   design, flow, results, deviations, versions
SHA256SUMS               of every file: sha256sum -c SHA256SUMS

There are no images and no sign-in codes in it. Readers have the names that the study gives them.
"""


def package(store: Store, published: Publication) -> bytes:
    """The ZIP file."""
    files: dict[str, bytes] = {}
    name = published.study.id
    with temporary_folder() as folder:
        for format, ending in DATA.items():
            place = folder / format
            for path in export(store, place / f"{name}.{ending}", format, name):
                files[f"data/{_once(path, format)}"] = path.read_bytes()
    mrmc, told = mrmc_files(store, published.selected)
    files |= mrmc
    tables = tables_of(published.found) | {"flow": published.flow}
    for table, content in tables.items():
        files[f"tables/{table}.csv"] = content.to_csv(index=False).encode()
    for kind in ("svg", "png"):
        files |= {f"figures/{figure}.{kind}": content for figure, content in published.figures(kind).items()}
    document = write_report(store, published)
    files |= {"report.md": document.markdown().encode(), "report.html": document.html().encode()}
    listed = ", ".join(TITLES[table].lower() if table in TITLES else table for table in tables)
    files["README.md"] = _ABOUT.format(title=published.study.title, tables=listed, mrmc=told).encode()
    sums = "".join(f"{hashlib.sha256(files[each]).hexdigest()}  {each}\n" for each in sorted(files))
    files["SHA256SUMS"] = sums.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(files):
            archive.writestr(f"{name}/{each}", files[each])
    return out.getvalue()


def _once(path: Path, format: str) -> str:
    """Dictionary and protocol are the same beside each format but for the CSV's own columns."""
    return path.name if format == "csv" or path.suffix != ".csv" else f"{format}.{path.name}"
