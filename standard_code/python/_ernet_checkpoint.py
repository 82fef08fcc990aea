"""Reads a checkpoint that torch.save wrote, with torch or without it, and never runs code that the file brings."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _ernet_layout
from _files import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Array: TypeAlias = np.ndarray[Any, Any]

# Names of PyTorch's storages and what NumPy calls their numbers; bfloat16 has no name there.
NUMBERS = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip


def read_with_torch(path: Path) -> dict[str, Tensor]:
    """The checked weights of ERnet-v2 by name. Raises UserError for any other file."""
    import torch

    _refuse_by_first_bytes(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: {_unsafe(path)}") from error
    except (RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError) as error:
        raise UserError(f"{path}: it is damaged or incomplete ({_first_line(error)}).") from error
    return {name: tensor.detach().float() if tensor.is_floating_point() else tensor
            for name, tensor in _checked(content, path).items()}  # fmt: skip


def read_without_torch(path: Path) -> dict[str, Array]:
    """The same as `read_with_torch`, as NumPy arrays; only tensors that are asked for are read from the file."""
    _refuse_by_first_bytes(path)
    try:
        with zipfile.ZipFile(path) as archive:
            content = _content(archive, path)
            tensors = _ernet_layout.state_dict_of(content)
            arrays = {
                name: tensor.read(archive) if isinstance(tensor, StoredTensor) else tensor
                for name, tensor in tensors.items()
            }
        return {name: array.astype("f4") if array.dtype.kind == "f" else array
                for name, array in _checked(arrays, path).items()}  # fmt: skip
    except UserError as error:
        raise error if str(error).startswith(str(path)) else UserError(f"{path}: {error}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{path}: it is damaged or incomplete ({_first_line(error)}).") from error


def _checked(content: object, path: Path) -> Mapping[str, Any]:
    try:
        tensors = _ernet_layout.state_dict_of(content)
        _ernet_layout.check(tensors)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return tensors


def _refuse_by_first_bytes(path: Path) -> None:
    """Files that are no checkpoint of today's PyTorch at all, by what they are."""
    with path.open("rb") as file:
        start = file.read(512)
    what = _what_starts_with(start)
    if what:
        raise UserError(f"{path}: {what}")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: it is damaged or incomplete (the end of the archive is missing). Fetch it again.")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.split("/", 1)[-1].startswith("code/") for name in names):
        raise UserError(f"{path}: it is a TorchScript program, not a set of weights.")
    if not any(name.endswith("data.pkl") for name in names):
        raise UserError(f"{path}: it is a ZIP archive, but torch.save did not write it. Unpack it first, perhaps.")


def _what_starts_with(start: bytes) -> str:
    text = start.lstrip().lower()
    if not start:
        return "the file is empty."
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, not a set of weights. The download gave a page in its place; look at the address."
    if text.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, not the weights themselves. Fetch them with 'git lfs pull'."
    if start.startswith(b"\x89HDF"):
        return "it is an HDF5 file (Keras, probably), not a PyTorch checkpoint."
    if start[:1] == b"\x80":
        return "it was written by PyTorch before 1.6, or is another pickle. Load and save it once with a newer PyTorch."
    if start[8:10] == b'{"':
        return "it is a safetensors file. ERnet's weights come as a .pth file."
    if not start.startswith(b"PK"):
        return "it is no PyTorch checkpoint; its first bytes are of no kind that is known here."
    return ""


def _unsafe(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        try:
            _content(archive, path)
        except UserError as error:
            return str(error)
    return "it holds more than tensors and numbers, so it was not loaded."


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in the archive, not yet read. `shape` and `strides` count numbers."""

    number: str
    entry: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, archive: zipfile.ZipFile) -> Array:
        import numpy as np

        flat = np.frombuffer(archive.read(self.entry), self.number)[self.offset :]
        last = sum((side - 1) * step for side, step in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and (min(self.strides, default=0) < 0 or last >= len(flat)):
            raise ValueError(f"a tensor reaches beyond its storage {self.entry}")
        steps = [step * flat.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False).copy()


def _content(archive: zipfile.ZipFile, path: Path) -> object:
    (entry,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
    folder = entry.removesuffix("data.pkl")
    if folder + "byteorder" in archive.namelist() and archive.read(folder + "byteorder") != b"little":
        raise UserError("it was written on a big-endian machine, which only PyTorch itself can read.")
    with archive.open(entry) as file:
        return _Unpickler(file, folder).load()


class _Unpickler(pickle.Unpickler):
    """Knows tensors and plain containers alone; every other object is refused by its name."""

    def __init__(self, file: Any, folder: str) -> None:
        super().__init__(file, encoding="utf-8")
        self.folder = folder

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("collections", "OrderedDict"): OrderedDict,
            ("collections", "defaultdict"): _plain_dict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
            ("torch", "Size"): tuple,
        }
        if (module, name) in allowed:
            return allowed[module, name]
        if module == "torch" and name.endswith("Storage"):
            return name
        raise UserError(
            f"it holds more than tensors and numbers (an object of the class {module}.{name}), so it was not loaded: "
            "such a file can run any program. Ask for a file that has the state dict alone."
        )

    def persistent_load(self, reference: Any) -> tuple[str, str]:
        _, storage, key, _, _ = reference
        if storage not in NUMBERS:
            raise UserError(f"its tensors are of the kind {storage}, which only PyTorch itself can read.")
        return NUMBERS[storage], f"{self.folder}data/{key}"


def _plain_dict(*_: object) -> dict[Any, Any]:
    return {}


def _tensor(storage: tuple[str, str], offset: int, shape: Any, strides: Any, *_: object) -> StoredTensor:
    return StoredTensor(storage[0], storage[1], offset, tuple(shape), tuple(strides))


def _parameter(tensor: StoredTensor, *_: object) -> StoredTensor:
    return tensor
