"""A bundle is unpacked whole, or it is refused by name and nothing is changed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.bundle.fits import System, check_paths, check_system
from runner.bundle.form import MANIFEST, Unusable, place_of, read_manifest, to_bytes
from runner.bundle.opened import opened
from runner.bundle.unpack import unpacked
from tests.bundle.making import SMALL, manifest_of, packed, tree, write_bundle

SYSTEM = System.this()
NEWER = {**SMALL, "repo/a b/ü.yaml": b"name: y\n", "repo/new.py": b"1\n"}


def unpack(bundle: Path, folder: Path) -> None:
    with unpacked(bundle, folder, SYSTEM):
        pass


def told(content: dict[str, bytes]) -> dict[str, bytes]:
    """What lies in the folder afterwards, but the manifest."""
    return {place_of(name): data for name, data in content.items()}


def refused(bundle: Path, folder: Path) -> str:
    """Why; nothing may have changed."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(Unusable) as caught:
        unpack(bundle, folder)
    assert sorted(folder.parent.rglob("*")) == before
    return str(caught.value)


def lies(folder: Path) -> dict[str, bytes]:
    found = tree(folder)
    read_manifest(found.pop(f".bundle/{MANIFEST}"))
    return found


def test_a_file_that_is_not_there_and_a_folder_are_told_as_such(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.bundle", tmp_path / "x") == "there is no such file"
    assert refused(tmp_path / "no" / "lab.bundle", tmp_path / "x") == "there is no such file"
    (tmp_path / "lab.bundle").mkdir()
    assert refused(tmp_path / "lab.bundle", tmp_path / "x") == "it is a folder"


def test_all_files_are_at_their_places_with_their_rights(tmp_path: Path) -> None:
    content = {**SMALL, "repo/run.sh": b"#!/bin/sh\n", "repo/empty.py": b""}
    files = packed(content, frozenset({"repo/run.sh"}))
    bundle = write_bundle(tmp_path / "lab.bundle", content, manifest_of(content, files=files))
    folder = tmp_path / "dir with ü" / "x"
    unpack(bundle, folder)
    assert lies(folder) == told(content)
    if os.name == "posix":
        assert os.access(folder / "run.sh", os.X_OK) and not os.access(folder / "uv.lock", os.X_OK)


def test_a_bundle_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write_bundle(tmp_path / "whole").read_bytes()
    for tenth in range(10):
        (tmp_path / "lab.bundle").write_bytes(whole[: len(whole) * tenth // 10])
        assert "cut off" in refused(tmp_path / "lab.bundle", tmp_path / "to")


def test_a_bit_that_flipped_anywhere_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    content = {"repo/uv.lock": b"lock", "wheels/a.whl": bytes(range(256))}
    whole = write_bundle(tmp_path / "whole", content).read_bytes()
    chance = random.Random(1)
    for place in range(len(whole)):
        bundle, folder = tmp_path / "lab.bundle", tmp_path / "to"
        bundle.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        with contextlib.suppress(Unusable):
            unpack(bundle, folder)
            assert lies(folder) == told(content), place
        shutil.rmtree(folder, ignore_errors=True)


def test_the_entry_with_the_flipped_bit_is_named(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "lab.bundle")
    data = bytearray(bundle.read_bytes())
    data[data.index(b"x" * 5000) + 2500] ^= 4
    bundle.write_bytes(data)
    assert refused(bundle, tmp_path / "to").startswith("wheels/x.bin in it is damaged")


def test_an_entry_that_is_sound_as_zip_and_has_another_hash_is_named(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "lab.bundle", {**SMALL, "wheels/x.bin": b"y" * 5000}, manifest_of(SMALL))
    assert refused(bundle, tmp_path / "to").startswith("wheels/x.bin in it is damaged")


@pytest.mark.parametrize(
    "name", ["../x", "/x", "repo/../../x", "repo/a\\..\\b", "C:/x", "repo/aux.txt", "repo/x.", "repo/.bundle/lock", "."]
)
def test_an_entry_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    bundle = write_bundle(tmp_path / "lab.bundle", {**SMALL, name: b"x"})
    assert "entr" in refused(bundle, tmp_path / "to")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFCHR])
def test_an_entry_that_is_no_file_is_refused(tmp_path: Path, mode: int) -> None:
    content = {**SMALL, "repo/link": b"/etc/passwd"}
    bundle = write_bundle(tmp_path / "lab.bundle", SMALL, manifest_of(content))
    info = zipfile.ZipInfo("repo/link")
    info.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr(info, b"/etc/passwd")
    assert "no plain file" in refused(bundle, tmp_path / "to")


def _twice(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("repo/uv.lock", b"lock\n")


def _unnamed(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr("repo/more", b"x")


def _folder(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr("repo/a b/", b"")


def _without_one(bundle: Path) -> None:
    write_bundle(bundle, {"repo/uv.lock": b"lock\n"}, manifest_of(SMALL))


def _bare_zip(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("repo/uv.lock", b"lock\n")


def _packed_otherwise(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(MANIFEST, to_bytes(manifest_of(SMALL)), zipfile.ZIP_STORED)
        for name, data in SMALL.items():
            archive.writestr(name, data)


def _larger(bundle: Path) -> None:
    write_bundle(bundle, {**SMALL, "repo/uv.lock": b"lock\nand more"}, manifest_of(SMALL))


def _windows_slashes(bundle: Path) -> None:
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b"wheels/x.bin", b"wheels\\x.bin").replace(b'"wheels\\x.bin"', b'"wheels/x.bin"'))


def _another_format(bundle: Path) -> None:
    data = bundle.read_bytes()
    bundle.write_bytes(data)
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr(MANIFEST, to_bytes(manifest_of({})).replace(b'"format": 1', b'"format": 7'))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_twice, "twice: 'repo/uv.lock'"),
        (_unnamed, "does not name: 'repo/more'"),
        (_folder, "does not name: 'repo/a b/'"),
        (_without_one, "it lacks 'repo/a b/ü.yaml'"),
        (_bare_zip, "no bundle"),
        (_packed_otherwise, "not as its manifest says"),
        (_larger, "not as its manifest says: 'repo/uv.lock'"),
        (_windows_slashes, "wheels"),
        (_another_format, "another version of run-pipeline"),
    ],
)
def test_what_no_bundle_of_ours_has_is_refused(tmp_path: Path, change: Callable[[Path], None], why: str) -> None:
    bundle = write_bundle(tmp_path / "lab.bundle")
    change(bundle)
    assert why in refused(bundle, tmp_path / "to")


@pytest.mark.parametrize("there", ["file.txt", ".venv", "sub/x"])
def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, there: str) -> None:
    (tmp_path / "to" / there).parent.mkdir(parents=True)
    (tmp_path / "to" / there).write_text("mine")
    assert "is not empty" in refused(write_bundle(tmp_path / "lab.bundle"), tmp_path / "to")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "to").write_text("mine")
    bundle = write_bundle(tmp_path / "lab.bundle")
    assert "is a file" in refused(bundle, tmp_path / "to")
    assert "is a file" in refused(bundle, tmp_path / "to" / "x")


@pytest.mark.parametrize(
    ("platform", "machine", "here", "fits"),
    [
        ("windows", "x86_64", ("linux", "x86_64"), False),
        ("linux", "x86_64", ("linux", "aarch64"), False),
        ("linux", "aarch64", ("linux", "arm64"), True),
        ("windows", "x86_64", ("windows", "AMD64"), True),
        ("windows", "x86_64", ("windows", "ARM64"), True),
        ("windows", "x86_64", ("windows", "x86"), False),
        ("macos", "x86_64", ("macos", "arm64"), False),
    ],
)
def test_a_bundle_for_another_machine_is_refused(
    tmp_path: Path, platform: str, machine: str, here: tuple[str, str], fits: bool
) -> None:
    manifest = manifest_of(SMALL, platform=platform, machine=machine)
    bundle, folder = write_bundle(tmp_path / "lab.bundle", SMALL, manifest), tmp_path / "to"
    with contextlib.nullcontext() if fits else pytest.raises(Unusable, match=f"made for {platform} {machine}"):  # noqa: SIM117
        with unpacked(bundle, folder, System(*here, longest_path=0)):
            pass
    assert folder.exists() == fits


@pytest.mark.parametrize(
    ("wheel", "here", "why"),
    [
        ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", (2, 28), ""),
        (
            "a-1-cp311-cp311-manylinux_2_28_x86_64.whl",
            (2, 17),
            "manylinux_2_28_x86_64.whl in it needs glibc 2.28 or newer",
        ),
        ("a-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_34_x86_64.whl", (2, 17), ""),
        ("a-1-cp311-cp311-manylinux_2_9_x86_64.whl", (2, 17), ""),
        ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", (0, 0), "not there (such as with musl)"),
        ("a-1-py3-none-any.whl", (0, 0), ""),
    ],
)
def test_a_linux_that_is_too_old_for_a_wheel_is_told_which(wheel: str, here: tuple[int, int], why: str) -> None:
    manifest = manifest_of({f"wheels/{wheel}": b""}, platform="linux", machine="x86_64")
    system = System("linux", "x86_64", 0, here)
    if not why:
        check_system(manifest, system)
        return
    with pytest.raises(Unusable) as caught:
        check_system(manifest, system)
    assert why in str(caught.value)


def test_a_path_that_windows_would_not_take_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inner.whl", "w") as archive:
        archive.writestr("deep/" * 20 + "x.py", b"")
    content = {**SMALL, "wheels/deep.whl": (tmp_path / "inner.whl").read_bytes()}
    windows = System("windows", "AMD64", 259)
    with opened(write_bundle(tmp_path / "lab.bundle", content)) as bundle:
        check_paths(bundle, Path("C:/lab"), windows)
        check_paths(bundle, Path("C:/" + "l" * 250), windows._replace(longest_path=0))
        with pytest.raises(Unusable, match=r"too long for Windows by \d+ characters.*x\.py"):
            check_paths(bundle, Path("C:/" + "l" * 150), windows)


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 4000))  # type: ignore[attr-defined]
    assert "are needed" in refused(write_bundle(tmp_path / "lab.bundle"), tmp_path / "to")


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Path]:
    """A folder that a bundle was unpacked to."""
    unpack(write_bundle(tmp_path / "old.bundle", {**SMALL, "repo/gone/x.py": b"x"}), tmp_path / "to")
    yield tmp_path / "to"


def test_a_newer_one_replaces_and_removes_what_nobody_changed(tmp_path: Path, older: Path) -> None:
    lock = older / "uv.lock"
    before = lock.stat()
    unpack(write_bundle(tmp_path / "new.bundle", NEWER), older)
    assert lies(older) == told(NEWER)
    assert not (older / "gone").exists()
    assert (lock.stat().st_mtime_ns, lock.stat().st_ino) == (before.st_mtime_ns, before.st_ino), "not written again"


def test_a_pipeline_that_the_user_changed_stays_and_the_new_one_lies_beside_it(
    tmp_path: Path, older: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (older / "a b" / "ü.yaml").write_bytes(b"mine")
    (older / "gone" / "x.py").write_bytes(b"mine too")
    unpack(write_bundle(tmp_path / "same.bundle"), older)
    assert "stays" not in capsys.readouterr().err, "that bundle has nothing new for it"
    unpack(write_bundle(tmp_path / "new.bundle", NEWER), older)
    expected = told(NEWER) | {"a b/ü.yaml": b"mine", "a b/ü.yaml.from-bundle": b"name: y\n", "gone/x.py": b"mine too"}
    assert lies(older) == expected
    assert "ü.yaml is yours and stays" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["uv.lock", ".bundle/wheels/x.bin"])
def test_other_files_that_were_changed_are_named_and_nothing_is_written(
    tmp_path: Path, older: Path, place: str
) -> None:
    (older / place).write_bytes(b"mine")
    before = tree(older)
    with pytest.raises(Unusable, match=place):
        unpack(write_bundle(tmp_path / "new.bundle", NEWER), older)
    assert tree(older) == before


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("what", ["link", "folder", "parent"])
def test_a_link_or_a_folder_in_the_place_of_a_file_is_named_and_not_written_through(
    tmp_path: Path, older: Path, what: str
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    if what == "parent":
        shutil.rmtree(older / "a b")
        (older / "a b").symlink_to(mine)
    else:
        (older / "uv.lock").unlink()
        (older / "uv.lock").symlink_to(mine) if what == "link" else (older / "uv.lock").mkdir()
    with pytest.raises(Unusable, match="a b/" if what == "parent" else "uv.lock"):
        unpack(write_bundle(tmp_path / "new.bundle", NEWER), older)
    assert mine.read_text() == "mine"


def delta(tmp_path: Path) -> Path:
    changed = {name: data for name, data in NEWER.items() if SMALL.get(name) != data}
    rest = packed({name: data for name, data in NEWER.items() if name not in changed})
    manifest = manifest_of(changed, base="old.bundle", base_files=rest)
    return write_bundle(tmp_path / "delta.bundle", changed, manifest)


def test_a_delta_over_its_base_gives_the_whole(tmp_path: Path, older: Path) -> None:
    unpack(delta(tmp_path), older)
    assert lies(older) == told(NEWER)
    assert read_manifest((older / ".bundle" / MANIFEST).read_bytes()).files.keys() == NEWER.keys()
    unpack(delta(tmp_path), older)
    assert lies(older) == told(NEWER)


def test_a_delta_without_its_base_names_the_bundle_that_is_needed(tmp_path: Path, older: Path) -> None:
    assert "Unpack old.bundle there first" in refused(delta(tmp_path), tmp_path / "elsewhere")
    (older / ".bundle" / "wheels" / "x.bin").unlink()
    before = tree(older)
    with pytest.raises(Unusable, match=r"x\.bin of that is not in .* Unpack old\.bundle there first"):
        unpack(delta(tmp_path), older)
    assert tree(older) == before


def test_files_that_a_power_cut_left_empty_are_written_again(tmp_path: Path) -> None:
    bundle, folder = write_bundle(tmp_path / "lab.bundle"), tmp_path / "to"
    unpack(bundle, folder)
    (folder / ".bundle" / MANIFEST).unlink()
    (folder / ".bundle" / "unpacking.json").write_text('{"uv.lock": []}')
    (folder / "uv.lock").write_bytes(b"")
    unpack(bundle, folder)
    assert lies(folder) == told(SMALL)


def test_sizes_in_the_zip_that_lie_are_noticed(tmp_path: Path) -> None:
    """A deflated entry that says it is small and is not."""
    content = {"repo/uv.lock": b"a" * 100_000}
    bundle = tmp_path / "lab.bundle"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, to_bytes(manifest_of({"repo/uv.lock": b"a" * 50})))
        archive.writestr("repo/uv.lock", content["repo/uv.lock"])
    bundle.write_bytes(bundle.read_bytes().replace(struct.pack("<L", 100_000), struct.pack("<L", 50)))
    assert "damaged" in refused(bundle, tmp_path / "to")
