"""Image vectors and verdicts over whole tables, as Parquet: shard i of n becomes `part-i-of-n.parquet`.

A table is a CSV or Parquet file with a column `image` (paths, relative to the table's folder) and, if wanted,
`modality`. A shard is written in chunks; a run that was killed goes on behind the last one. At the end the
chunks are joined to the shard's file. An image that cannot be read has a row that says why.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from afloc.batch.execution import THIS_PROCESS, Execution, absolute_source
from afloc.batch.job import bind_run_folder, check_shard
from afloc.errors import DataError, ImageError
from afloc.files import whole_file
from afloc.imaging.image import Image
from afloc.inference.model import Model, load_model
from afloc.inference.view import View
from afloc.language.findings import load_findings
from afloc.language.modalities import MODALITIES

CHUNK_IMAGES = 64
_TEXT, _REAL = pa.string(), pa.float32()
_IMAGE_COLUMNS = {**dict.fromkeys(("image", "modality"), _TEXT), "width": pa.int32(), "height": pa.int32()}
_MODEL_COLUMNS = {**dict.fromkeys(("model", "fingerprint", "error"), _TEXT)}


class Query(Protocol):
    """What is computed for each image of a table.

    `schema`: the columns; `identity`: what two runs into the same folder must agree in.
    """

    @property
    def schema(self) -> pa.Schema: ...

    @property
    def identity(self) -> dict[str, str]: ...

    def answer(self, view: View) -> list[dict]:
        """The rows of an image, without the columns on image and model that every row has."""


class Vectors:
    """`embedding`: the image's global vector, of length 1, in the space of the descriptions."""

    schema = pa.schema({**_IMAGE_COLUMNS, "embedding": pa.list_(_REAL), **_MODEL_COLUMNS})
    identity = {"kind": "embed"}

    def answer(self, view: View) -> list[dict]:
        return [{"embedding": view.embedding}]


@dataclass(frozen=True)
class Verdicts:
    """A row for each of `findings`, or for every pathology of the image's modality.

    `description`: the text that the model was given for it.
    """

    findings: tuple[str, ...] | None = None

    schema = pa.schema(
        {
            **_IMAGE_COLUMNS,
            **dict.fromkeys(("finding", "description"), _TEXT),
            **dict.fromkeys(("score", "probability"), _REAL),
            "present": pa.bool_(),
            **_MODEL_COLUMNS,
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
class ImageTableJob:
    """The images of a shard. `names`: relative to the folder `base`, as in the table; `folder`: of chunks."""

    model: Model
    query: Query
    names: list[str]
    modalities: list[str | None]
    base: Path
    folder: Path

    @property
    def chunk_files(self) -> list[Path]:
        return [self.folder / f"{start:09d}.parquet" for start in range(0, len(self.names), CHUNK_IMAGES)]

    def paths(self, chunk: int) -> list[Path]:
        return [self.base / name for name in self.names[self._rows(chunk)]]

    def finish(self, chunk: int, images: Iterable[Image | ImageError]) -> None:
        rows: list[dict[str, object]] = []
        names, modalities = self.names[self._rows(chunk)], self.modalities[self._rows(chunk)]
        of_model = {"model": self.model.name, "fingerprint": self.model.fingerprint}
        for name, modality, image in zip(names, modalities, images, strict=True):
            if isinstance(image, ImageError):
                rows.append({"image": name, "modality": modality, "error": str(image), **of_model})
                continue
            view = self.model.encode(image, modality)
            of_image = {
                "image": name,
                "modality": view.modality,
                "width": image.width,
                "height": image.height,
            }
            rows += [{**of_image, **answer, **of_model} for answer in self.query.answer(view)]
        _write(self.chunk_files[chunk], [pa.Table.from_pylist(rows, self.query.schema)], self.query.schema)

    def _rows(self, chunk: int) -> slice:
        return slice(chunk * CHUNK_IMAGES, (chunk + 1) * CHUNK_IMAGES)


def answer_table(
    table: Path,
    model: Model,
    query: Query,
    folder: Path,
    execution: Execution = THIS_PROCESS,
    source: str | Path | None = None,
    modality: str | None = None,
) -> Path:
    """Compute `query` for the images of a shard of `table`; returns the shard's file.

    `source`: what `load_model` takes to open the same model in a worker of Ray. `modality` beats that of the
    table; without either it is recognised. DataError for a table that cannot be read, or where `folder` holds
    another run.
    """
    check_shard(execution.shard)
    number, count = execution.shard
    names, modalities, digest = read_images(table, execution.shard)
    identity = {"table": digest, "model": model.fingerprint, "modality": modality or "", "shards": str(count)}
    bind_run_folder(folder, query.identity | identity, ())
    width = len(str(count - 1))
    part = folder / f"part-{number:0{width}}-of-{count}.parquet"
    if part.is_file():
        return part
    modalities = [modality or each for each in modalities]
    shared = (query, names, modalities, table.parent.absolute(), (folder / f".{part.stem}").absolute())
    job = ImageTableJob(model, *shared)
    job.folder.mkdir(exist_ok=True)
    waiting = [chunk for chunk, file in enumerate(job.chunk_files) if not file.is_file()]
    open_job = partial(_open_job, absolute_source(source), execution.device, shared)
    execution.runner(open_job)(job, waiting)
    _write(part, (pq.read_table(file) for file in job.chunk_files), query.schema)
    shutil.rmtree(job.folder, ignore_errors=True)
    return part


def _open_job(source: str | None, device: str, shared: tuple) -> ImageTableJob:
    """The same job in another process, with a model of its own."""
    return ImageTableJob(load_model(source, device, image_cache_bytes=0), *shared)


def read_images(table: Path, shard: tuple[int, int]) -> tuple[list[str], list[str | None], str]:
    """Names and modalities of a shard's images (a range of rows), and the digest of the table."""
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
    modalities: list[str | None] = [None] * (end - first)
    if "modality" in found.column_names:
        modalities = found["modality"][first:end].to_pylist()
        if unknown := set(modalities) - {None, *MODALITIES}:
            raise DataError(f"{table.name}: {unknown.pop()!r} is none of {', '.join(MODALITIES)}.")
    with open(table, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return [str(name) for name in found["image"][first:end].to_pylist()], modalities, digest


def _write(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    with whole_file(path) as written, pq.ParquetWriter(written, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
