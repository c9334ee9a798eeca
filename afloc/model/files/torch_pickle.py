"""Read a file written by torch.save without running anything from it.

A checkpoint is a pickle, and a pickle is a program. Here it is interpreted by an unpickler whose every name
leads to something inert: tensors become descriptions of where their numbers lie, an object of any other
class becomes a Record that keeps its state and does nothing. No module is imported, nothing of torch is
called.
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch

from afloc.errors import ModelError

_MAX_PICKLE = 64 * 2**20  # bytes of the pickle itself, tensors apart
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Storage(NamedTuple):
    """Numbers in the file: their key, type and count."""

    key: str
    dtype: torch.dtype
    count: int  # type: ignore[assignment]  # hides `tuple.count`


class StoredTensor(NamedTuple):
    """A tensor as the file describes it; that its data bears it out has not been checked."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Record:
    """What is left of an object whose class is not known here: its `state` and its `items`."""

    def __init__(self, *arguments: Any):
        self.state: Any = None
        self.items: dict = {}

    def __new__(cls, *arguments: Any) -> "Record":
        record = object.__new__(cls)
        Record.__init__(record)
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass


def _describe_tensor(storage: Any, offset: Any, shape: Any, stride: Any) -> StoredTensor:
    numbers = (offset, *shape, *stride)
    if not isinstance(storage, Storage) or not all(isinstance(n, int) and 0 <= n < 2**48 for n in numbers):
        raise pickle.UnpicklingError("not a tensor")
    return StoredTensor(storage, offset, tuple(shape), tuple(stride))


class _Unpickler(pickle._Unpickler):
    # The unpickler written in Python: the one in C reserves memory for whatever index a pickle names.

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda *arguments: _describe_tensor(*arguments[:4])
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *rest: data
        # A new class each time: whatever the file does to it ends with it.
        return type("Record", (Record,), {})

    def persistent_load(self, pid: Any) -> Storage:
        kind, dtype, key, _, count = pid[:5]
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(count, int):
            raise pickle.UnpicklingError("unknown persistent id")
        return Storage(key, dtype, count)


class Container:
    """An open checkpoint: `tree`, the object that was saved, and `tensor` to read one of its tensors."""

    def __init__(self, path: Path):
        """Raise ModelError, one sentence, for a file that is no checkpoint, is damaged or is cut short."""
        self.name = path.name
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise ModelError(f"The checkpoint {path} cannot be opened ({error.strerror}).") from None
        try:
            if self._file.read(4) == b"PK\x03\x04":
                self._open_zip()
            else:
                self._open_legacy()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def tensor(self, stored: Any) -> torch.Tensor:
        """Read one tensor; ModelError where the file's description of it does not hold."""
        if not isinstance(stored, StoredTensor):
            raise ModelError(f"{self.name} holds something else than a tensor where a tensor is due.")
        (key, dtype, count), offset, shape, stride = stored
        if len(shape) != len(stride):
            raise ModelError(f"{self.name} describes a tensor in a way that makes no sense.")
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if math.prod(shape) == 0:
            return torch.empty(shape, dtype=dtype)
        if not last < count < 2**48:
            raise ModelError(f"{self.name} describes a tensor that reaches beyond its data.")
        data = self._read(str(key))
        if len(data) != count * dtype.itemsize:
            raise ModelError(f"{self.name} is damaged: a tensor's data is {len(data)} bytes long.")
        return torch.frombuffer(bytearray(data), dtype=dtype).as_strided(shape, stride, offset).clone()

    def _unpickle(self, file: BinaryIO) -> Any:
        try:
            return _Unpickler(file, encoding="utf-8").load()
        except Exception as error:
            raise ModelError(
                f"{self.name} is damaged or is no PyTorch checkpoint ({type(error).__name__} in its pickle)."
            ) from None

    def _open_zip(self) -> None:
        try:
            archive = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
            raise ModelError(
                f"{self.name} is cut short or damaged: its table of contents is missing."
            ) from None
        entries = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise ModelError(f"{self.name} is a zip file but no PyTorch checkpoint: it has no data.pkl.")
        root = pickles[0].removesuffix("data.pkl")

        def read(name: str, limit: float = math.inf) -> bytes:
            info = entries.get(root + name)
            if info is None:
                raise ModelError(f"{self.name} lacks the data {name!r} that it refers to.")
            # torch.save never compresses; what does may unpack to any size.
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise ModelError(f"{self.name} is compressed, which torch.save never does: refused.")
            if info.file_size > limit:
                raise ModelError(f"{self.name} has a pickle of {info.file_size} bytes, which is refused.")
            try:
                return archive.read(info)
            except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError):
                raise ModelError(f"{self.name} is damaged: its part {name!r} cannot be read.") from None

        if root + "byteorder" in entries and read("byteorder", 16) != b"little":
            raise ModelError(f"{self.name} was written on a big-endian machine, which is not supported.")
        self._read = lambda key: read(f"data/{key}")
        self.tree = self._unpickle(io.BytesIO(read("data.pkl", _MAX_PICKLE)))

    def _open_legacy(self) -> None:
        """The container of torch < 1.6: pickles one after another, then the storages."""
        self._file.seek(0, io.SEEK_END)
        size = self._file.tell()
        self._file.seek(0)
        if self._file.read(1) != b"\x80":
            raise ModelError(f"{self.name} is no PyTorch checkpoint.")
        self._file.seek(0)
        if self._unpickle(self._file) != _LEGACY_MAGIC or self._unpickle(self._file) != _LEGACY_PROTOCOL:
            raise ModelError(f"{self.name} is a pickle but no PyTorch checkpoint.")
        self._unpickle(self._file)  # the writing machine's integer sizes
        used: dict[str, Storage] = {}
        unpickler = _Unpickler(self._file, encoding="utf-8")
        load_storage = unpickler.persistent_load

        def remember(pid: Any) -> Storage:
            storage = load_storage(pid)
            return used.setdefault(str(storage.key), storage)

        unpickler.persistent_load = remember  # type: ignore[method-assign]  # for this one load
        try:
            self.tree = unpickler.load()
            keys = self._unpickle(self._file)
            places = {}
            for key in keys:
                (count,) = struct.unpack("<q", self._file.read(8))
                length = count * used[key].dtype.itemsize
                places[key] = (self._file.tell(), length)
                if count < 0 or self._file.tell() + length > size:
                    raise EOFError
                self._file.seek(length, io.SEEK_CUR)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"{self.name} is cut short or damaged ({type(error).__name__}).") from None

        def read(key: str) -> bytes:
            if key not in places:
                raise ModelError(f"{self.name} lacks the data {key!r} that it refers to.")
            start, length = places[key]
            self._file.seek(start)
            return self._file.read(length)

        self._read = read


def lookup(tree: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path through dicts and OmegaConf records, `default` where there is none."""
    for key in path.split("."):
        tree = _children(tree).get(key)
        if tree is None:
            return default
    if isinstance(tree, Record) and isinstance(tree.state, dict) and "_val" in tree.state:
        tree = tree.state["_val"]
    return default if tree is None else tree


def _children(node: Any) -> dict:
    if isinstance(node, Record):
        node = (
            node.state.get("_content")
            if isinstance(node.state, dict) and "_content" in node.state
            else node.items
        )
    return node if isinstance(node, dict) else {}
