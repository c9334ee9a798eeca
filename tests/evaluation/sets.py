"""A small set of drawn images in the layout of the CSV, to measure a model on."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = ("image", "labels", "boxes", "mask", "patient", "source")


def write_table(path: Path, rows: list[dict], columns: tuple[str, ...] = COLUMNS) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def box(label: str, x: float, y: float, w: float, h: float) -> dict:
    return {"label": label, "x": x, "y": y, "w": w, "h": h}


def write_set(folder: Path, images: int = 12) -> Path:
    """Gray images of two sources and of two shapes: one with a mask, one with boxes, one normal, in turn."""
    random = np.random.default_rng(3)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(images):
        height, width = (64, 64) if number % 2 else (80, 56)
        pixels = random.integers(0, 90, (height, width), dtype=np.uint8)
        x, y, w, h = (int(v) for v in random.integers((4, 4, 12, 12), (24, 30, 28, 30)))
        row = {
            "image": f"images/{number}.png",
            "patient": f"patient {number // 2 if number < 6 else number}",
            "source": "north" if number % 4 else "south",
            "boxes": "[]",
        }
        if number % 3 == 2:
            row["labels"] = "No Finding"
        else:
            pixels[y : y + h, x : x + w] += 120
            row["labels"] = "Effusion;Nodule" if number % 3 else "Effusion"
            if number % 3:
                row["boxes"] = json.dumps([box("Nodule", x, y, w, h), box("Effusion", 2, 3.5, 20, 9)])
            else:
                mask = np.zeros((height, width), np.uint8)
                mask[y : y + h, x : x + w] = 255
                Image.fromarray(mask).save(folder / "images" / f"{number}_mask.png")
                row["mask"] = json.dumps({"Effusion": f"images/{number}_mask.png"})
                row["boxes"] = json.dumps([box("Pleural Effusion", 0, 0, 5, 5)])  # the mask beats it
        Image.fromarray(pixels).save(folder / row["image"])
        rows.append(row)
    return write_table(folder / "set.csv", rows)
