"""A bundle, held against its own manifest before anything of it is written.

Python 3.8 and its standard library: see form.py.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from runner.bundle.form import MANIFEST, Manifest, Packed, Unusable, read_manifest

CHUNK = 1 << 20
_MOST = 256 << 20  # bytes of a manifest
# what zipfile raises for a file that is none, or of which bytes were changed
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    RuntimeError,
    LookupError,
    OverflowError,
)


class Opened:
    """`archive` and what its manifest says."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest, entries: dict[str, zipfile.ZipInfo]) -> None:
        self.archive, self.manifest, self._entries = archive, manifest, entries

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """An entry to read from. Raises Unusable for one that is damaged."""
        why = f"{name} in it is damaged. Copy the bundle once more, or make it anew"
        with _damaged(why), self.archive.open(self._entries[name]) as stream:
            yield stream  # type: ignore[misc]

    def inside(self, name: str) -> list[zipfile.ZipInfo]:
        """The entries of an archive in it, of which only the end is read. Raises Unusable."""
        info = self._entries[name]
        with self.reading(name) as stream:
            if info.compress_type != zipfile.ZIP_STORED or self.archive.fp is None:
                with zipfile.ZipFile(stream) as inner:
                    return inner.infolist()
            with open(str(self.archive.filename), "rb") as whole:  # noqa: PTH123
                whole.seek(info.header_offset)
                lengths = struct.unpack("<26x2H", whole.read(30))  # of the name and of what else stands before it
                start = info.header_offset + 30 + sum(lengths)
                with io.BufferedReader(_Part(whole, start, info.file_size)) as part, zipfile.ZipFile(part) as inner:
                    return inner.infolist()

    def check_contents(self, told: Callable[[int], None]) -> None:
        """Every hash; `told` hears how many bytes were read. Raises Unusable with the first entry that is damaged."""
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
            tasks = [threads.submit(self._check, name, packed, told) for name, packed in self.manifest.files.items()]
            try:
                for task in tasks:
                    task.result()
            except BaseException:
                for task in tasks:
                    task.cancel()
                raise

    def _check(self, name: str, packed: Packed, told: Callable[[int], None]) -> None:
        with self.reading(name) as stream:
            sum_ = sum_of(stream, told)
        if sum_ != packed.sha256:
            raise Unusable(f"{name} in it is damaged. Copy the bundle once more, or make it anew")


class _Part(io.RawIOBase):
    """Bytes of a file as a file of their own: zipfile would read all that is before the place that it looks for."""

    def __init__(self, whole: BinaryIO, start: int, size: int) -> None:
        self._whole, self._start, self._size, self._at = whole, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, place + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._whole.seek(self._start + self._at)
        found = self._whole.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Raises Unusable (also for an entry that the manifest does not name as it is), OSError."""
    if not path.is_file():
        raise Unusable("it is a folder" if path.is_dir() else "there is no such file")
    with _damaged("it is cut off, damaged, or no bundle. Compare its size with the original's, and copy it once more"):
        archive = zipfile.ZipFile(path)
    with archive:
        yield _held_against(archive)


@contextmanager
def _damaged(why: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise Unusable(why) from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place that no file has
            raise Unusable(why) from error
        raise


def sum_of(stream: BinaryIO, told: Callable[[int], None] = lambda size: None) -> str:
    """SHA-256 of what is left to read."""
    sum_ = hashlib.sha256()
    while True:
        chunk = stream.read(CHUNK)
        if not chunk:
            return sum_.hexdigest()
        sum_.update(chunk)
        told(len(chunk))


def _held_against(archive: zipfile.ZipFile) -> Opened:
    infos = archive.infolist()
    entries = {info.filename: info for info in infos}
    if len(entries) != len(infos):
        names = [info.filename for info in infos]
        raise Unusable(f"an entry is in it twice: {next(name for name in names if names.count(name) > 1)!r}")
    if MANIFEST not in entries or entries[MANIFEST].file_size > _MOST:
        raise Unusable(f"it is a ZIP file, but no bundle: it has no {MANIFEST}")
    bundle = Opened(archive, _NOTHING, entries)
    with bundle.reading(MANIFEST) as stream:
        bundle.manifest = read_manifest(stream.read())
    files = bundle.manifest.files
    for name, info in entries.items():
        if name != MANIFEST:
            _check_entry(info, files.get(name))
    missing = sorted(set(files) - set(entries))
    if missing or MANIFEST in files:
        raise Unusable(f"it lacks {missing[0]!r}" if missing else f"its manifest names {MANIFEST}")
    return bundle


def _check_entry(info: zipfile.ZipInfo, packed: Packed | None) -> None:
    name = info.filename
    if packed is None:
        raise Unusable(f"it holds an entry that its manifest does not name: {name!r}")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or info.orig_filename != name:
        raise Unusable(f"an entry of it is no plain file: {name!r}")
    plain = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not info.flag_bits & 0x1
    if info.file_size != packed.size or not plain:
        raise Unusable(f"an entry of it is not as its manifest says: {name!r}")


_NOTHING = Manifest("", "", "", "", "", "", (), {}, (), (), ())
