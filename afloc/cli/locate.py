"""`afloc locate` and `afloc classify`: one image."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from afloc.cli.image_figures import check_figures, write_figures
from afloc.cli.image_tables import classify_table
from afloc.cli.options import TABLES, add_batch, add_image, add_model, add_protocol, number, quiet
from afloc.errors import SettingsError
from afloc.text import one_line

if TYPE_CHECKING:
    from afloc.imaging.image import Image
    from afloc.inference.finding import Finding
    from afloc.inference.model import Model
    from afloc.inference.view import View
    from afloc.pacs.source import Source


def add_locate(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("locate", help="where a description is seen in an image, and how surely")
    add_image(parser)
    parser.add_argument("texts", metavar="TEXT", nargs="+", help="what to look for, in your own words")
    add_protocol(parser)
    parser.add_argument(
        "--threshold", type=number, default=0.5, metavar="T", help="of the map, for regions (default: 0.5)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write result.json, the maps (.npy) and overlays (.png) there"
    )
    parser.add_argument(
        "--figures",
        action="store_true",
        help="draw a figure of each text into --out (SVG, PDF, PNG), and write its numbers",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="hold the maps against the ground truth in FILE (COCO, CSV, JSON or a mask); draws figures, too",
    )
    parser.add_argument(
        "--dicom",
        type=Path,
        metavar="DIR",
        help="of a DICOM image: write each map (Parametric Map) and report (SR) there; needs afloc[pacs]",
    )
    add_model(parser)
    parser.set_defaults(run=run_locate)


def run_locate(arguments: argparse.Namespace) -> None:
    drawn = arguments.figures or arguments.truth is not None
    if drawn:
        check_figures(arguments.out, arguments.protocol)
    image, source = _read(arguments, dicom=arguments.dicom is not None)
    model, view = _encode(arguments, image, arguments.protocol)
    findings = view.locate_all(arguments.texts)
    if source:
        write_dicom(arguments.dicom, source, model, findings, arguments.threshold)
    if arguments.out is None:
        print_table([(finding.text, finding) for finding in findings], view)
    else:
        write_result(arguments.out, model, view, findings, arguments.threshold)
    if drawn:
        write_figures(arguments.out, model, view, findings, arguments.image, arguments.truth)


def add_classify(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "classify", help="which findings of a list an image, or each of a table, shows"
    )
    add_image(parser, ", or a table of images (CSV or Parquet)")
    parser.add_argument(
        "--findings",
        metavar="LIST",
        help="findings or descriptions, separated by commas (default: every pathology of the modality)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="of a table: write the parts (Parquet) there")
    add_batch(parser)
    add_model(parser)
    parser.set_defaults(run=run_classify)


def run_classify(arguments: argparse.Namespace) -> None:
    from afloc.language.findings import load_findings

    names = None
    if arguments.findings is not None:
        names = tuple(name.strip() for name in arguments.findings.split(",") if name.strip())
        if not names:
            raise SettingsError("--findings names no finding: give names separated by commas.")
    if arguments.image.suffix.lower() in TABLES:
        if arguments.frame:
            raise SettingsError("--frame is for one image: of each file in a table the first frame is taken.")
        return classify_table(arguments, names)
    image, _ = _read(arguments)
    _, view = _encode(arguments, image, "native")
    findings = view.classify(names)
    asked = names or [entry.name for entry in load_findings(view.modality).values() if not entry.normal]
    print_table(list(zip(asked, findings, strict=True)), view)


def print_table(named: list[tuple[str, "Finding"]], view: "View") -> None:
    """One line a finding: its name, score, probability and verdict."""
    width = min(60, max(len(name) for name, _ in named))
    doubt = f". {view.doubt.sentence}" if view.doubt else ""
    print(f"{view.modality.replace('_', ' ')}, {view.image.width} x {view.image.height} pixels{doubt}")
    print(f"{'':{width}}  score  probability  verdict")
    for name, finding in named:
        name = one_line(name, width)
        probability = "" if finding.probability is None else f"{finding.probability:.2f}"
        print(f"{name:{width}}  {finding.score:5.2f}  {probability:>11}  {finding.verdict}")
        for sentence in finding.sentences:
            print(f"{'':{width}}  {sentence}")


def write_result(
    folder: Path, model: "Model", view: "View", findings: list["Finding"], threshold: float
) -> None:
    """Write result.json and, for each finding, its map as N.npy and its overlay as N.png."""
    import numpy as np
    from PIL import Image as Pillow

    from afloc.imaging.heatmap import render_overlay

    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for order, finding in enumerate(findings):
        files = {"heatmap": f"{order}.npy", "overlay": f"{order}.png"}
        np.save(folder / files["heatmap"], finding.heatmap)
        overlay = render_overlay(view.image, finding.evidence())
        Pillow.fromarray(overlay).save(folder / files["overlay"])
        regions = [vars(region) for region in finding.regions(threshold)]
        entries.append(finding.as_json() | files | {"regions": regions})
    result = {
        "image": {
            "width": view.image.width,
            "height": view.image.height,
            "modality": view.modality,
            "orientation": view.orientation.as_json(),
            "doubt": view.doubt and view.doubt.as_json(),
        },
        "model": {"name": model.name, "fingerprint": model.fingerprint},
        "protocol": view.protocol,
        "findings": entries,
    }
    (folder / "result.json").write_text(
        json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )


def write_dicom(
    folder: Path, source: "Source", model: "Model", findings: list["Finding"], threshold: float
) -> None:
    """Write N-map.dcm and N-report.dcm for each finding."""
    from afloc.pacs.dicom_export import DicomExport

    export = DicomExport(source, model)
    for order, finding in enumerate(findings):
        notes = list(finding.sentences)
        export.write(folder, order, finding, finding.regions(threshold), notes=notes, threshold=threshold)


def _read(arguments: argparse.Namespace, dicom: bool = False) -> tuple["Image", "Source | None"]:
    """The image and, for DICOM results, what they refer to.

    Read before torch is imported: a wrong file, or what is missing for `--dicom`, is answered at once.
    """
    from afloc.imaging.image import read_image
    from afloc.pacs.extra import check_extra

    if dicom:
        check_extra()
        if arguments.protocol != "native":
            raise SettingsError(
                "--dicom needs --protocol native: the published map is not as large as the image."
            )
    image = read_image(arguments.image, arguments.frame)
    if not dicom:
        return image, None
    from afloc.pacs.source import read_source

    return image, read_source(arguments.image, arguments.frame)


def _encode(arguments: argparse.Namespace, image: "Image", protocol: str) -> tuple["Model", "View"]:
    quiet()
    from afloc.inference.model import load_model

    model = load_model(arguments.model, arguments.device)
    return model, model.encode(image, arguments.modality, protocol)
