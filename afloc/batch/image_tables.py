"""Image vectors and verdicts over whole tables, as Parquet: shard i of n becomes `part-i-of-n.parquet`.

A table is a CSV or Parquet file with a column `image` (paths, from where the table lies) and, if wanted,
`modality`. A shard is written in blocks first, and a run that was killed goes on behind the last of them;
the blocks become the part at the end. An image that cannot be read has a row that says why.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from afloc.batch.work import Engine, check_shard, claim, run_here
from afloc.errors import DataError, ImageError
from afloc.imaging.image import Image
from afloc.inference.model import Model
from afloc.inference.view import View
from afloc.language.findings import load_findings
from afloc.language.modalities import MODALITIES

BLOCK_IMAGES = 64
_TEXT, _REAL = pa.string(), pa.float32()
_SEEN = {**dict.fromkeys(("image", "modality"), _TEXT), "width": pa.int32(), "height": pa.int32()}
_ASKED = {**dict.fromkeys(("model", "fingerprint", "error"), _TEXT)}


class Question(Protocol):
    """What is asked of each image of a table."""

    schema: pa.Schema
    identity: dict[str, str]

    def answer(self, view: View) -> list[dict]:
        """The rows of one image, without what every row says of image and model."""


class Vectors:
    """`embedding`: the image's global vector, of length 1, in the space of the descriptions."""

    schema = pa.schema({**_SEEN, "embedding": pa.list_(_REAL), **_ASKED})
    identity = {"kind": "embed"}

    def answer(self, view: View) -> list[dict]:
        return [{"embedding": view.embedding}]


@dataclass(frozen=True)
class Verdicts:
    """A row for each of `findings`, or for every pathology of the image's modality; `description` is what was
    asked for it."""

    findings: tuple[str, ...] | None = None

    schema = pa.schema(
        {
            **_SEEN,
            **dict.fromkeys(("finding", "description"), _TEXT),
            **dict.fromkeys(("score", "probability"), _REAL),
            "present": pa.bool_(),
            **_ASKED,
        }
    )

    @property
    def identity(self) -> dict[str, str]:
        return {"kind": "classify", "findings": json.dumps(self.findings)}

    def answer(self, view: View) -> list[dict]:
        names = self.findings or [e.name for e in load_findings(view.modality).values() if not e.normal]
        kept = ("score", "probability", "present")
        return [
            {"finding": name, "description": found.text, **{key: getattr(found, key) for key in kept}}
            for name, found in zip(names, view.classify(self.findings), strict=True)
        ]


@dataclass(frozen=True)
class Answering:
    """A shard's images, in blocks below `folder`; `names` as the table has them, from the folder `base`."""

    model: Model
    question: Question
    names: list[str]
    modalities: list[str | None]
    base: Path
    folder: Path

    @property
    def blocks(self) -> list[Path]:
        return [self.folder / f"{start:09d}.parquet" for start in range(0, len(self.names), BLOCK_IMAGES)]

    def paths(self, part: int) -> list[Path]:
        return [self.base / name for name in self.names[self._rows(part)]]

    def finish(self, part: int, images: Iterable[Image | ImageError]) -> None:
        rows = []
        names, modalities = self.names[self._rows(part)], self.modalities[self._rows(part)]
        asked = {"model": self.model.name, "fingerprint": self.model.fingerprint}
        for name, modality, image in zip(names, modalities, images, strict=True):
            if isinstance(image, ImageError):
                rows.append({"image": name, "modality": modality, "error": str(image), **asked})
                continue
            view = self.model.encode(image, modality)
            seen = {"image": name, "modality": view.modality, "width": image.width, "height": image.height}
            rows += [{**seen, **answer, **asked} for answer in self.question.answer(view)]
        _write(self.blocks[part], [pa.Table.from_pylist(rows, self.question.schema)], self.question.schema)

    def _rows(self, part: int) -> slice:
        return slice(part * BLOCK_IMAGES, (part + 1) * BLOCK_IMAGES)


def answer_table(
    table: Path,
    model: Model,
    question: Question,
    folder: Path,
    shard: tuple[int, int] = (0, 1),
    engine: Callable[[Callable[[Model], Answering]], Engine] = lambda _: run_here,
    modality: str | None = None,
) -> Path:
    """Ask `question` of the images of a shard (number, of how many) of `table`; returns the part's file.

    `modality` goes before that of the table; without either it is recognised. `engine` makes an engine of a
    function that gives the same work to another model. DataError for a table that cannot be read, or where
    `folder` holds another run.
    """
    check_shard(shard)
    number, count = shard
    names, modalities, digest = read_images(table, shard)
    asked = {"table": digest, "model": model.fingerprint, "modality": modality or "", "shards": str(count)}
    claim(folder, question.identity | asked, ())
    width = len(str(count - 1))
    part = folder / f"part-{number:0{width}}-of-{count}.parquet"
    if part.is_file():
        return part
    modalities = [modality or each for each in modalities]
    shared = (question, names, modalities, table.parent.absolute(), (folder / f".{part.stem}").absolute())
    work = Answering(model, *shared)
    work.folder.mkdir(exist_ok=True)
    waiting = [index for index, block in enumerate(work.blocks) if not block.is_file()]
    engine(lambda other: Answering(other, *shared))(work, waiting)
    _write(part, (pq.read_table(block) for block in work.blocks), question.schema)
    shutil.rmtree(work.folder, ignore_errors=True)
    return part


def read_images(table: Path, shard: tuple[int, int]) -> tuple[list[str], list[str | None], str]:
    """Names and modalities of the images of a shard, a run of rows of the table, and the table's digest."""
    if not table.is_file():
        raise DataError(f"There is no {table.name}: give a table with a column image.")
    try:
        if table.suffix.lower() == ".parquet":
            names = [name for name in ("image", "modality") if name in pq.read_schema(table).names]
            found = pq.read_table(table, columns=names)
        else:
            found = pa.csv.read_csv(
                table,
                parse_options=pa.csv.ParseOptions(newlines_in_values=True),
                convert_options=pa.csv.ConvertOptions(
                    include_columns=["image", "modality"],
                    include_missing_columns=True,
                    column_types=dict.fromkeys(("image", "modality"), _TEXT),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise DataError(f"{table.name} is not a CSV in UTF-8 or a Parquet file.") from None
    if "image" not in found.column_names or found["image"].null_count == found.num_rows:
        raise DataError(f"{table.name} names no image in a column image.")
    if found["image"].null_count:
        raise DataError(f"{table.name}: a row names no image.")
    number, count = shard
    first, end = (found.num_rows * each // count for each in (number, number + 1))
    modalities = [None] * (end - first)
    if "modality" in found.column_names:
        modalities = found["modality"][first:end].to_pylist()
        if unknown := set(modalities) - {None, *MODALITIES}:
            raise DataError(f"{table.name}: {unknown.pop()!r} is none of {', '.join(MODALITIES)}.")
    with open(table, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return [str(name) for name in found["image"][first:end].to_pylist()], modalities, digest


def _write(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write a Parquet file that appears whole or not at all."""
    tables = iter(tables)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
    temporary.replace(path)
