"""Reads a checkpoint that torch.save wrote, with torch or without it, and never runs code that the file brings."""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import _ernet.layout
from _program.files import UserError, in_words

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Array: TypeAlias = np.ndarray[Any, Any]

# Names of PyTorch's storages and what NumPy calls their numbers; bfloat16 has no name there.
NUMBERS = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "b1",
}  # fmt: skip
# A file can claim any size. What this network needs is far below these.
MOST_BYTES = 2**28  # of one tensor's storage, and of what the archive holds in a compressed form
MOST_WORDS = 2**26  # bytes of the pickle, which has the names and shapes


def read_with_torch(path: Path) -> dict[str, Tensor]:
    """The checked weights of ERnet-v2 by name. Raises UserError for any other file."""
    import torch

    with _in_words(path), zipfile.ZipFile(path) as archive:
        _looked_at(archive)
        content = torch.load(path, map_location="cpu", weights_only=True)
        tensors = _ernet.layout.state_dict_of(content)
        _ernet.layout.check_index_tables(tensors)
    return {name: tensor.detach().float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def read_without_torch(path: Path) -> dict[str, Array]:
    """The same as `read_with_torch`, as NumPy arrays."""
    with _in_words(path), zipfile.ZipFile(path) as archive:
        tensors = _looked_at(archive)
        if any(name.endswith("/byteorder") and archive.read(name) != b"little" for name in archive.namelist()):
            raise UserError("it was written on a big-endian machine, which only PyTorch itself can read.")
        arrays = {name: tensor.read(archive) for name, tensor in tensors.items()}
        _ernet.layout.check_index_tables(arrays)
    return {name: array.astype("f4") if array.dtype.kind == "f" else array for name, array in arrays.items()}


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Refuses what is no checkpoint; what is none in a way that nobody thought of is damaged. All names the file."""
    try:
        _refuse_by_first_bytes(path)
        with in_words(lambda error: f"it is damaged or incomplete ({_first_line(error)})."):
            yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _looked_at(archive: zipfile.ZipFile) -> dict[str, StoredTensor]:
    """The tensors by name, of the right shapes and within the file. None of their numbers is read."""
    for entry in archive.infolist():
        if entry.file_size > max(entry.compress_size, MOST_BYTES):
            raise UserError(
                f"it is damaged, or made to do harm: {entry.filename} claims {entry.file_size / 2**30:,.1f} GiB."
            )
    tensors = _ernet.layout.state_dict_of(_content(archive))
    _ernet.layout.check_shapes(tensors)
    for name, tensor in tensors.items():
        tensor.check(name, archive)
    return tensors


def _refuse_by_first_bytes(path: Path) -> None:
    """Files that are no checkpoint of today's PyTorch at all, by what they are."""
    with path.open("rb") as file:
        start = file.read(512)
    what = _what_starts_with(start)
    if what:
        raise UserError(what)
    if not zipfile.is_zipfile(path):
        raise UserError("it is damaged or incomplete (the end of the archive is missing). Fetch it again.")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.split("/", 1)[-1].startswith("code/") for name in names):
        raise UserError("it is a TorchScript program, not a set of weights.")
    if not any(name.endswith("data.pkl") for name in names):
        raise UserError("it is a ZIP archive, but torch.save did not write it. Unpack it first, perhaps.")


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


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in the archive, not yet read. `shape` and `strides` count numbers."""

    number: str
    entry: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def check(self, name: str, archive: zipfile.ZipFile) -> None:
        """Raises UserError where it does not lie in its storage."""
        there = archive.getinfo(self.entry).file_size
        if self.offset < 0 or min(self.strides, default=0) < 0 or self._end > min(there, MOST_BYTES):
            raise UserError(f"it is damaged: the tensor {name} reaches beyond its storage {self.entry}.")

    @property
    def _each(self) -> int:
        """Bytes of one number, at least."""
        return int(self.number[-1:] or 1)

    @property
    def _end(self) -> int:
        """Where its last number ends in its storage, in bytes."""
        last = sum((side - 1) * step for side, step in zip(self.shape, self.strides, strict=True))
        return (self.offset + last + 1) * self._each

    def read(self, archive: zipfile.ZipFile) -> Array:
        """Its numbers."""
        import numpy as np

        if not self.number:
            raise UserError("its tensors are of a kind that only PyTorch itself can read.")
        with archive.open(self.entry) as file:
            flat = np.frombuffer(file.read(self._end), self.number)[self.offset :]
        steps = [step * flat.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False).copy()


def _content(archive: zipfile.ZipFile) -> object:
    (entry,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
    with archive.open(entry) as file:
        words = file.read(MOST_WORDS + 1)
    for code, argument, _ in pickletools.genops(words[:MOST_WORDS]):  # ends with ValueError where one reaches too far
        if "PUT" in code.name and isinstance(argument, int) and argument > len(words):
            raise ValueError("a place that no list of its objects has")
    return _Unpickler(io.BytesIO(words), entry.removesuffix("data.pkl")).load()


# What a key of a dictionary or a part of a set may be: to hash tuples in tuples, each told once and used twice, takes
# for ever. And the operations that hash, with the place on their stack of what they do.
PLAIN = (str, bytes, int, float, bool, type(None))
HASHED = {
    pickle.SETITEM: slice(-2, -1), pickle.SETITEMS: slice(None, None, 2), pickle.DICT: slice(None, None, 2),
    pickle.ADDITEMS: slice(None), pickle.FROZENSET: slice(None),
}  # fmt: skip


def _refuse_keys(keys: Iterable[object]) -> None:
    if not all(isinstance(key, PLAIN) for key in keys):
        raise ValueError("a key that is no text and no number")


def _checked(code: bytes) -> Callable[[Any], None]:
    def load(self: Any) -> None:
        _refuse_keys(self.stack[HASHED[code]])
        pickle._Unpickler.dispatch[code[0]](self)  # the one in C has no such places

    return load


class _Unpickler(pickle._Unpickler):
    """Knows tensors and plain containers alone; every other object is refused by its name."""

    dispatch: ClassVar = pickle._Unpickler.dispatch | {code[0]: _checked(code) for code in HASHED}

    def __init__(self, file: Any, folder: str) -> None:
        super().__init__(file, encoding="utf-8")
        self.folder = folder

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("collections", "OrderedDict"): _ordered,
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
        _refuse_keys((storage, key))
        return NUMBERS.get(storage, ""), f"{self.folder}data/{key}"


def _ordered(pairs: Iterable[Any] = ()) -> OrderedDict[Any, Any]:
    pairs = list(pairs)
    _refuse_keys(key for key, _ in pairs)
    return OrderedDict(pairs)


def _plain_dict(*_: object) -> dict[Any, Any]:
    return {}


def _tensor(storage: tuple[str, str], offset: int, shape: Any, strides: Any, *_: object) -> StoredTensor:
    if not all(isinstance(number, int) and abs(number) < 2**63 for number in (offset, *shape, *strides)):
        raise ValueError("a tensor whose shape is none")
    return StoredTensor(storage[0], storage[1], offset, tuple(shape), tuple(strides))


def _parameter(tensor: StoredTensor, *_: object) -> StoredTensor:
    return tensor
