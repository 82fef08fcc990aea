"""Unpacking that is killed, doubled, or stands before a full or a read-only disk. Processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.bundle.form import MANIFEST, place_of
from tests.bundle.making import REPO, SMALL, manifest_of, tree, with_program, write_bundle

# what `unbundle` does before it makes environments, and its words for what goes wrong
CODE = """\
import sys
from pathlib import Path
import runner.bundle.unpack as unpack
unpack.make_runner = lambda folder, manifest, say: say("unpacked") or folder
unpack.make_the_rest = lambda folder, python, **options: 0
sys.exit(unpack.unbundle(Path(sys.argv[1]), Path(sys.argv[2])))
"""
MANY = {f"repo/many/{number // 100}/{number}.txt": b"%d\n" % number * 50 for number in range(1500)} | SMALL


def argv(bundle: Path, folder: Path) -> list[str]:
    return [sys.executable, "-c", CODE, str(bundle), str(folder)]


def unbundle(bundle: Path, folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv(bundle, folder), cwd=REPO, capture_output=True, encoding="utf-8", timeout=60, **options)  # type: ignore[call-overload,no-any-return]


def lies(folder: Path) -> dict[str, bytes]:
    found = tree(folder)
    found.pop(f".bundle/{MANIFEST}")
    return found


def told(content: dict[str, bytes]) -> dict[str, bytes]:
    return {place_of(name): data for name, data in content.items()}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("many") / "lab.bundle", MANY)


def test_killed_at_any_moment_it_goes_on_and_writes_nothing_twice(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "to"
    for share in (0.05, 0.4, 0.8):
        process = subprocess.Popen(argv(many, folder), cwd=REPO, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while len(list(folder.rglob("*.txt"))) < share * len(MANY) and process.poll() is None:
            assert time.monotonic() < end
        process.kill()
        process.wait()
    before = {path: path.stat().st_ino for path in folder.rglob("*.txt")}
    assert before
    done = unbundle(many, folder)
    assert done.returncode == 0, done.stderr
    assert lies(folder) == told(MANY)
    assert {path: path.stat().st_ino for path in before} == before


def test_two_at_once_into_one_folder_wait_for_each_other(many: Path, tmp_path: Path) -> None:
    folder = tmp_path / "to"
    both = [subprocess.Popen(argv(many, folder), cwd=REPO, stderr=subprocess.PIPE, encoding="utf-8") for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert lies(folder) == told(MANY)


@pytest.mark.skipif(os.name == "nt", reason="its locks are tried under POSIX")
def test_who_waits_for_another_says_so(tmp_path: Path) -> None:
    import fcntl

    folder = tmp_path / "to"
    (folder / ".bundle").mkdir(parents=True)
    with (folder / ".bundle" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        bundle = write_bundle(tmp_path / "lab.bundle")
        process = subprocess.Popen(argv(bundle, folder), cwd=REPO, stderr=subprocess.PIPE, encoding="utf-8")
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("another start unpacks to" in line for line in lines)
        assert process.poll() is None and not (folder / "uv.lock").exists()
    assert "unpacked" in "".join(lines)
    assert process.wait(30) == 0
    process.stderr.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounts a disk of its own")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_meanwhile_is_told_and_a_second_start_goes_on(small_disk: Path, tmp_path: Path) -> None:
    content = {**SMALL, **{f"wheels/{n}.bin": bytes([n]) * 100_000 for n in range(9)}}
    bundle, folder = write_bundle(tmp_path / "lab.bundle", content), small_disk / "to"
    code = CODE.replace("make_runner =", "check_space = lambda *any: None\nunpack.make_runner =")  # filled meanwhile
    (small_disk / "other").write_bytes(b"x" * 500_000)
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle), str(folder)], cwd=REPO, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 3 and "is full" in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert (folder / ".bundle" / "wheels" / "0.bin").exists() and not (folder / ".bundle" / MANIFEST).exists()
    (small_disk / "other").unlink()
    again = unbundle(bundle, folder)
    assert again.returncode == 0, again.stderr
    assert lies(folder) == told(content)


def test_a_disk_that_is_full_before_is_told_and_nothing_is_written(small_disk: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "lab.bundle", {**SMALL, "wheels/y.bin": b"y" * 2_000_000})
    done = unbundle(bundle, small_disk / "to")
    assert done.returncode == 2 and "about 2.0 MB are needed" in done.stderr, done.stderr
    assert list(small_disk.iterdir()) == []


def test_a_folder_that_may_not_be_written_to_is_told(small_disk: Path, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = unbundle(write_bundle(tmp_path / "lab.bundle"), small_disk / "to")
    assert done.returncode == 3 and "no permission" in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_bundle_on_a_read_only_place_is_unpacked(small_disk: Path, tmp_path: Path) -> None:
    bundle = write_bundle(small_disk / "lab.bundle")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = unbundle(bundle, tmp_path / "to")
    assert done.returncode == 0 and lies(tmp_path / "to") == told(SMALL), done.stderr


@pytest.mark.parametrize("name", ["nothing.bundle", "folder"])
def test_no_file_is_no_traceback(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    done = unbundle(tmp_path / name, tmp_path / "to")
    assert done.returncode in (2, 3) and name in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "to").exists()


def test_a_bundle_starts_itself_with_a_python_that_has_nothing_of_ours(tmp_path: Path) -> None:
    """The refusal of a bundle for another machine: it comes before uv is needed."""
    other = "linux" if sys.platform == "win32" else "windows"
    content = with_program(SMALL)
    bundle = write_bundle(tmp_path / "lab ü.bundle", content, manifest_of(content, platform=other, machine="x86_64"))
    pythons = [sys.executable]
    for name in ("python3.8", "python3.9"):
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            pythons.append(found)
    for python in pythons:
        done = subprocess.run(
            [python, "-I", str(bundle), str(tmp_path / "to")], cwd=tmp_path, capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 2, done.stderr
        assert f"lab ü.bundle is not unpacked: it was made for {other} x86_64" in done.stderr
        assert not (tmp_path / "to").exists()


@pytest.mark.skipif(os.name == "nt", reason="sends a signal of POSIX")
def test_ctrl_c_is_no_traceback_and_what_is_there_stays(tmp_path: Path) -> None:
    code = CODE.replace('say("unpacked") or folder', 'say("unpacked") or __import__("time").sleep(60)')
    words = [sys.executable, "-c", code, str(write_bundle(tmp_path / "lab.bundle")), str(tmp_path / "to")]
    process = subprocess.Popen(words, cwd=REPO, stderr=subprocess.PIPE, encoding="utf-8")
    assert process.stderr is not None
    assert any("unpacked" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGINT)
    assert "start it again, and it goes on" in process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert lies(tmp_path / "to") == told(SMALL)
