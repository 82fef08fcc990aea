"""The interpreter and the uv of a bundle, where it is unpacked."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.bundle import own
from runner.bundle.own import NotMade, interpreter_in, make_runner, unpack_interpreter
from tests.bundle.making import manifest_of


def archive(path: Path, *more: Callable[[tarfile.TarFile], None]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        add("python/bin/python3.11", b"#!/bin/sh\n", 0o755)(tar)
        link("python/bin/python3", "python3.11")(tar)
        for one in more:
            one(tar)
    return path


def add(name: str, data: bytes = b"x", mode: int = 0o644) -> Callable[[tarfile.TarFile], None]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return lambda tar: tar.addfile(info, io.BytesIO(data))


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Callable[[tarfile.TarFile], None]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return lambda tar: tar.addfile(info)


@pytest.mark.skipif(os.name == "nt", reason="laid out as on POSIX")
@pytest.mark.parametrize("modern", [True, False])
def test_the_folder_in_it_becomes_one_of_the_archives_name(
    tmp_path: Path, modern: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`modern`: with a tarfile that looks at names by itself."""
    if not modern:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    packed = archive(tmp_path / "cpython-3.11.9-linux-x86_64.tar.gz")
    (tmp_path / "into" / ".cpython-3.11.9-linux-x86_64" / "half").mkdir(parents=True)  # of one that was killed
    place = unpack_interpreter(packed, tmp_path / "into")
    assert place == tmp_path / "into" / "cpython-3.11.9-linux-x86_64"
    assert [path.name for path in (tmp_path / "into").iterdir()] == [place.name]
    assert os.access(interpreter_in(place, "3.11"), os.X_OK) and (place / "bin" / "python3").is_symlink()
    packed.unlink()
    assert unpack_interpreter(packed, tmp_path / "into") == place, "once is enough"


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize(
    "bad",
    [
        add("../out"),
        add("python/../../out"),
        link("python/x", "../../out"),
        link("python/x", "/etc/passwd"),
        link("python/x", "../out", tarfile.LNKTYPE),
    ],
)
def test_nothing_of_it_leads_outside(
    tmp_path: Path, bad: Callable[[tarfile.TarFile], None], modern: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not modern:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    (tmp_path / "deep").mkdir()
    try:
        unpack_interpreter(archive(tmp_path / "p.tar.gz", bad), tmp_path / "deep" / "into")
    except NotMade:
        assert not (tmp_path / "deep" / "into" / "p").exists()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.name in ("out", "x")) == []


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b\x08\0\0\0\0\0"])
def test_what_is_no_archive_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "p.tar.gz").write_bytes(data)
    with pytest.raises(NotMade, match=r"p\.tar\.gz cannot be unpacked"):
        unpack_interpreter(tmp_path / "p.tar.gz", tmp_path / "into")


def test_an_environment_of_somebody_else_in_the_place_of_ours_stays(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    with pytest.raises(NotMade, match="in the way"):
        make_runner(tmp_path, manifest_of({}), print)
    assert (tmp_path / ".venv" / "pyvenv.cfg").exists()


def test_a_bundle_without_uv_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotMade, match="no wheel of uv"):
        make_runner(tmp_path, manifest_of({}), print)


def test_the_callers_settings_for_uv_and_python_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX_URL", "UV_PYTHON", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, "elsewhere")
    environ = own._environ(tmp_path)
    assert "elsewhere" not in environ.values() and environ["UV_OFFLINE"] == "1"
