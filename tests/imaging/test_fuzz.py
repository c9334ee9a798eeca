"""Damaged files by the hundred, with --long by the thousand: only the project's own errors may come of them.

A failure names the number of the mutation; `mutate(seeds, number)` makes the file again.
"""

import io
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from pydicom.data import get_testdata_file
from pydicom.uid import JPEGBaseline8Bit

from afloc.errors import AFLocError, DataError, ImageError, ModelError, SettingsError
from afloc.imaging.image import read_image
from tests.hostile import mutate
from tests.imaging import dicoms
from tests.imaging.test_image import COLOUR, RAMP, encode, make_dicom, make_png, table

DICOMS = ("MR_small_RLE", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "MR_small_bigendian")
DICOMS += ("SC_rgb_jpeg_gdcm", "examples_palette", "nested_priv_SQ", "image_dfl", "JPGExtended")
TIMES: list[tuple[float, str]] = []


def dicom_seeds():
    seeds = [make_dicom(RAMP, WindowCenter="32", WindowWidth="21", VOILUTSequence=table(range(64), 0))]
    seeds += [make_dicom(RAMP, "MONOCHROME1", ModalityLUTSequence=table([v**2 for v in range(64)], 0))]
    seeds += [make_dicom((COLOUR * 4).astype(np.uint8), "RGB"), make_dicom(np.stack([RAMP, RAMP]))]
    window, change = dicoms.item(**dicoms.WINDOW), dicoms.item(RescaleSlope="-1", RescaleIntercept="63")
    macros = {"FrameVOILUTSequence": window, "PixelValueTransformationSequence": change}
    groups = dicoms.Sequence([dicoms.group(**macros)])
    seeds += [dicoms.dicom(np.stack([RAMP, RAMP]), SharedFunctionalGroupsSequence=groups)]
    seeds += [
        dicoms.palette(dicoms.COLOURS, 8, "u1"),
        dicoms.segmented([0, 1, 9, 1, 31, 900, 2, 1, 6, 0], 64),
    ]
    seeds += [dicoms.encapsulated(dicoms.jpeg(COLOUR.astype(np.uint8)), JPEGBaseline8Bit, COLOUR, "RGB", 8)]
    return seeds + [Path(get_testdata_file(f"{name}.dcm")).read_bytes() for name in DICOMS]


def raster_seeds():
    colour = COLOUR.astype(np.uint8)
    seeds = [encode(colour, kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP")]
    seeds += [make_png(COLOUR, 2), encode(RAMP), encode(colour, "PNG", mode="P")]
    seeds += [encode(colour, "JPEG", progressive=True), encode(colour, "JPEG", mode="CMYK")]
    seeds += [encode(colour, "TIFF", compression=kind) for kind in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")]
    seeds += [encode(colour > 30, "TIFF", mode="1", compression="group4") for colour in (colour[..., 0],)]
    seeds += [encode(RAMP.astype(np.float32), "TIFF"), encode(colour, "WEBP", lossless=True)]
    for options in ({"planarconfig": "separate", "photometric": "rgb"}, {"photometric": "minisblack"}):
        pixels = COLOUR.transpose(2, 0, 1) if "planarconfig" in options else RAMP.astype(np.float64)
        for more in ({}, {"compression": "zlib", "tile": (16, 16)}, {"bigtiff": True, "byteorder": ">"}):
            file = io.BytesIO()
            tifffile.imwrite(file, pixels, **options, **more)
            seeds.append(file.getvalue())
    frames = [Pillow.fromarray(np.roll(colour, shift, 1)) for shift in range(5)]
    for kind in ("TIFF", "WEBP", "PNG"):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        seeds.append(file.getvalue())
    return seeds


def attempt(read, seeds, allowed, count, head=3000):
    """How many mutations were read and how many refused with one sentence; a mutation may do nothing else."""
    outcomes = Counter()
    for number in range(count):
        data = mutate(seeds, number, head)
        start = time.perf_counter()
        try:
            read(data)
            outcomes["read"] += 1
        except allowed as error:
            assert str(error).endswith(".") and "\n" not in str(error), (number, str(error))
            outcomes["refused"] += 1
        except Exception as error:
            raise AssertionError(f"mutation {number}: {type(error).__name__}") from error
        TIMES.append((time.perf_counter() - start, f"mutation {number}"))
    assert outcomes["refused"]
    return outcomes


def resident():
    """MB of this process; 0 where it cannot be told."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.mark.parametrize("make", [dicom_seeds, raster_seeds])
def test_images(make, long):
    seeds = make()
    read_image(seeds[0])  # the time a worker takes to start is not the file's
    TIMES.clear()
    before = resident()
    outcomes = attempt(read_image, seeds, ImageError, 2000 if long else 250)
    after = resident()
    assert outcomes["read"] and after - before < 100
    if long:
        seconds, slowest = max(TIMES)
        memory = f"{before:.0f} MB before, {after:.0f} after"
        print(f"\n{dict(outcomes)}; slowest {seconds:.2f} s ({slowest}); {memory}")


@pytest.fixture
def folder(tmp_path):
    """Images for tables to name."""
    for name in ("a.png", "b.png", "mask.png"):
        (tmp_path / name).write_bytes(encode((RAMP * 4).astype(np.uint8)))
    return tmp_path


def from_file(read, path):
    def write_and_read(data):
        path.write_bytes(data)
        read(path)

    return write_and_read


COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 48, "width": 64}, {"id": 2, "file_name": "b.png"}],
    "categories": [{"id": 1, "name": "Effusion"}, {"id": 2, "name": "Mass"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [3, 4, 10, 12]},
        {"id": 2, "image_id": 1, "category_id": 2, "segmentation": [[1, 1, 9, 1, 9, 9.5]], "label_text": "x"},
        {
            "id": 3,
            "image_id": 2,
            "category_id": 2,
            "segmentation": {"size": [48, 64], "counts": [5, 9, 3058]},
        },
        {"id": 4, "image_id": 2, "category_id": 1, "segmentation": {"size": [48, 64], "counts": "PP1"}},
    ],
}
TABLES = {
    "own.csv": 'image,labels,boxes,mask,patient,source\na.png,Mass;Nodule,"[{""label"": ""Mass"", ""x"": 1, '
    '""y"": 2, ""w"": 9, ""h"": 8}]",,p1,s\nb.png,Effusion,,"{""Effusion"": ""mask.png""}",p2,s\n',
    "nih.csv": "Image Index,Finding Label,Bbox [x,y,w,h]\na.png,Mass,1,2,9,8\nb.png,Nodule,3,4,5,6\n",
    "rsna.csv": "patientId,x,y,width,height,Target\na,1,2,9,8,1\nb,,,,,0\n",
    "vindr.csv": "image_id,class_name,x_min,y_min,x_max,y_max\na,Mass,1,2,9,8\nb,No finding,,,,\n",
    "siim.csv": "ImageId,EncodedPixels\na,5 9 40 3\nb,-1\n",
}


def test_coco(folder, long):
    from afloc.evaluation.datasets.dataset import read_dataset

    seeds = [json.dumps(COCO).encode(), json.dumps(COCO, indent=1).encode()]
    attempt(from_file(read_dataset, folder / "set.json"), seeds, DataError, 2000 if long else 200)


def test_tables(folder, long):
    from afloc.evaluation.datasets.dataset import read_dataset

    seeds = [text.encode() for text in TABLES.values()]
    attempt(from_file(read_dataset, folder / "set.csv"), seeds, DataError, 2000 if long else 200)


def test_dropped_ground_truth(folder, long):
    from afloc.evaluation.datasets.single_image import read_annotation_file

    def read(path):
        return read_annotation_file(path, 48, 64, "a.png")

    for ending, seed in ((".json", json.dumps(COCO)), (".csv", TABLES["own.csv"])):
        attempt(from_file(read, folder / f"drop{ending}"), [seed.encode()], DataError, 500 if long else 60)
    masks = raster_seeds()[:6]
    attempt(from_file(read, folder / "drop.png"), masks, (DataError, ImageError), 500 if long else 60)


def test_study_files(folder, long):
    from afloc.feedback.studies.study_file import FOLDER, read_study

    seeds = [(FOLDER / "demo.toml").read_bytes()]
    attempt(from_file(read_study, folder / "study.toml"), seeds, SettingsError, 2000 if long else 200, 5000)


def test_imported_feedback(folder, long):
    from afloc.feedback.export import export, import_rows
    from afloc.feedback.store.events import Event
    from afloc.feedback.store.store import Store

    with Store(folder / "first") as store:
        store.record(Event("feedback", description="=1+1", comment="né", answers={"a": [1, "x"]}))
        seeds = [(end, export(store, folder / f"out.{end}")[0].read_bytes()) for end in ("csv", "parquet")]
    (folder / "in").mkdir()
    with Store(folder / "second") as store:
        for ending, seed in seeds:
            read = from_file(lambda path: import_rows(store, path), folder / "in" / f"in.{ending}")
            attempt(read, [seed], AFLocError, 500 if long else 25)


def test_checkpoints(released_checkpoint, tmp_path, long):
    from afloc.model.files.torch_pickle import Container, lookup

    def read(path):
        with Container(path) as container:
            for value in list(lookup(container.tree, "state_dict", {}).values())[:5]:
                container.tensor(value)

    seed = released_checkpoint.read_bytes()
    attempt(from_file(read, tmp_path / "m.ckpt"), [seed], ModelError, 300 if long else 8, 20_000)


def test_model_folders(small_folder, tmp_path, long):
    from afloc.model.files.checkpoint import read_folder

    names = ("config.json", "tokenizer.json", "model.safetensors")
    for name in names:
        (tmp_path / name).write_bytes((small_folder / name).read_bytes())
    for name in names:
        seed = (small_folder / name).read_bytes()
        read = from_file(lambda path: read_folder(path.parent), tmp_path / name)
        attempt(read, [seed], ModelError, 200 if long else 10, 3000)
        (tmp_path / name).write_bytes(seed)
