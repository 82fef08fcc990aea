"""Files to the cluster and back: by content, whole or not at all, nothing lost on either side."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import time
from pathlib import Path, PureWindowsPath

import pytest

from runner.errors import RunnerError
from runner.login import names
from runner.login.download import Download, There, listed
from runner.login.line import Lost, Refusal, Remote
from runner.login.places import Places
from runner.login.sent import Known, same_time
from runner.login.upload import Sent, upload
from runner.login.wanted import Local
from tests.login.conftest import Place, until
from tests.support.going import name_of


def local(path: Path, there: str) -> Local:
    info = path.stat()
    return Local(str(path), there, info.st_size, info.st_mtime_ns, stat.S_IMODE(info.st_mode))


def tree(root: Path, files: dict[str, bytes]) -> list[Local]:
    found = []
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        found.append(local(path, name))
    return found


def send(place: Place, remote: Remote, files: list[Local]) -> Sent:
    return upload(remote, str(place.folder), files, Known(place.root / "known" / "sent.json"))


def bring(place: Place, remote: Remote, *, into: Path | None = None, platform: str = "linux", **more: bool) -> Download:
    here = into or place.root / "here"
    here.mkdir(exist_ok=True)
    known = Known(place.root / "known" / "brought.json")
    work = Download(remote, str(place.folder), [here], here.joinpath, known, platform=platform, **more)
    work.bring(listed(remote, str(place.folder), ["**"]))
    return work


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


FILES = {
    "a.txt": b"a",
    "ünï cödé/bläh 'q\".tif": bytes(range(256)) * 50,
    "empty": b"",
    "deep/er/est/x.bin": random.Random(1).randbytes(300_000),
    "large.bin": random.Random(2).randbytes(5_000_000),
}


def test_what_goes_up_and_comes_back_is_the_same_with_its_times(logged_in: Place) -> None:
    files = tree(logged_in.root / "source", FILES)
    with logged_in.remote() as remote:
        assert send(logged_in, remote, files).files == len(FILES)
        assert contents(logged_in.folder) == contents(logged_in.root / "source")
        bring(logged_in, remote)
    assert contents(logged_in.root / "here") == contents(logged_in.root / "source")
    for name in FILES:
        first, last = logged_in.root / "source" / name, logged_in.root / "here" / name
        assert same_time(first.stat().st_mtime_ns, last.stat().st_mtime_ns)


def test_what_is_there_already_is_not_sent_or_brought_again(logged_in: Place) -> None:
    files = tree(logged_in.root / "source", FILES)
    with logged_in.remote() as remote:
        send(logged_in, remote, files)
        again = send(logged_in, remote, files)
        assert (again.files, again.there) == (0, len(FILES))
        assert bring(logged_in, remote).done.files == len(FILES)
        assert bring(logged_in, remote).done.files == 0


def test_the_same_content_with_another_time_is_found_by_its_hash(logged_in: Place) -> None:
    files = tree(logged_in.root / "source", FILES)
    logged_in.folder.parent.mkdir(exist_ok=True)
    shutil.copytree(logged_in.root / "source", logged_in.folder, dirs_exist_ok=True)
    for one in logged_in.folder.rglob("*"):
        os.utime(one, (1, 1))
    with logged_in.remote() as remote:
        assert send(logged_in, remote, files).there == len(FILES)


def test_a_file_that_was_changed_here_replaces_the_one_that_we_sent(logged_in: Place) -> None:
    with logged_in.remote() as remote:
        send(logged_in, remote, tree(logged_in.root / "source", {"a.txt": b"one"}))
        sent = send(logged_in, remote, tree(logged_in.root / "source", {"a.txt": b"second"}))
    assert (sent.files, sent.kept) == (1, [])
    assert contents(logged_in.folder) == {"a.txt": b"second"}


def test_a_file_that_somebody_changed_there_is_kept_elsewhere_and_said(logged_in: Place) -> None:
    (logged_in.folder / "sub").mkdir(parents=True)
    (logged_in.folder / "sub" / "a.txt").write_bytes(b"theirs")
    with logged_in.remote() as remote:
        sent = send(logged_in, remote, tree(logged_in.root / "source", {"sub/a.txt": b"ours, longer"}))
    assert len(sent.kept) == 1
    assert (logged_in.folder / sent.kept[0]).read_bytes() == b"theirs"
    assert (logged_in.folder / "sub" / "a.txt").read_bytes() == b"ours, longer"


@pytest.mark.parametrize("same_size", [True, False])
def test_a_local_file_that_differs_is_never_written_over(logged_in: Place, same_size: bool) -> None:
    theirs, ours = b"theirs", b"mine!!" if same_size else b"mine"
    (logged_in.folder / "a.csv").write_bytes(theirs)
    here = logged_in.root / "here"
    here.mkdir()
    (here / "a.csv").write_bytes(ours)
    with logged_in.remote() as remote:
        first = bring(logged_in, remote).done
        assert len(first.kept) == 1
        assert "a (hpc).csv" in first.kept[0]
        assert contents(here) == {"a.csv": ours, "a (hpc).csv": theirs}
        assert bring(logged_in, remote).done.files == 0
        (logged_in.folder / "a.csv").write_bytes(b"newer of theirs")
        bring(logged_in, remote)
        assert contents(here) == {"a.csv": ours, "a (hpc).csv": b"newer of theirs"}


def test_what_came_and_was_not_touched_here_is_renewed(logged_in: Place) -> None:
    (logged_in.folder / "log.txt").write_bytes(b"line\n")
    with logged_in.remote() as remote:
        bring(logged_in, remote)
        with (logged_in.folder / "log.txt").open("ab") as stream:
            stream.write(b"line\n")
        done = bring(logged_in, remote).done
    assert (done.files, done.kept) == (1, [])
    assert (logged_in.root / "here" / "log.txt").read_bytes() == b"line\nline\n"


def test_a_program_stays_one(logged_in: Place) -> None:
    files = tree(logged_in.root / "source", {"tool.sh": b"#!/bin/sh\n"})
    (logged_in.root / "source" / "tool.sh").chmod(0o755)
    files = [local(logged_in.root / "source" / "tool.sh", "tool.sh")]
    with logged_in.remote() as remote:
        send(logged_in, remote, files)
        bring(logged_in, remote)
    assert os.access(logged_in.folder / "tool.sh", os.X_OK)
    assert os.access(logged_in.root / "here" / "tool.sh", os.X_OK)


def test_names_that_windows_cannot_have_are_told_and_not_written(logged_in: Place) -> None:
    for name in ("t:1.tif", "con.txt", "dot.", "Cell.tif", "cell.tif", "good.tif", "what?.csv", "aux"):
        (logged_in.folder / name).write_bytes(name.encode())
    with logged_in.remote() as remote:
        done = bring(logged_in, remote, platform="win32").done
    assert sorted(contents(logged_in.root / "here")) in (["Cell.tif", "good.tif"], ["cell.tif", "good.tif"])
    assert len(done.refused) == 6
    assert any("has the name of" in one for one in done.refused)


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a/../x", "..", ""])
def test_a_path_that_leads_out_is_refused_at_both_ends(logged_in: Place, path: str) -> None:
    assert names.problem(path, "linux")
    source = logged_in.root / "x"
    source.write_bytes(b"x")
    with logged_in.remote() as remote:
        for header in (
            {"op": "put", "files": [[path, 0, 0, 0o644]]},
            {"op": "look", "paths": [path]},
            {"op": "hash", "paths": [[path, None]]},
            {"op": "get", "paths": [[path, 0]]},
        ):
            with pytest.raises(Refusal, match="leads out of"):
                remote.call({**header, "base": str(logged_in.folder)})
        work = Download(remote, str(logged_in.folder), [logged_in.root], logged_in.root.joinpath, Known(source))
        assert work.bring([There(path, 1, 1, 0o644)]).refused


def test_a_link_that_leads_out_of_the_local_folder_is_not_followed(logged_in: Place) -> None:
    (logged_in.folder / "sub").mkdir(parents=True)
    (logged_in.folder / "sub" / "a").write_bytes(b"a")
    outside = logged_in.root / "outside"
    outside.mkdir()
    (logged_in.root / "here").mkdir()
    (logged_in.root / "here" / "sub").symlink_to(outside)
    with logged_in.remote() as remote:
        done = bring(logged_in, remote).done
    assert done.refused
    assert list(outside.iterdir()) == []


def test_a_large_file_that_was_cut_off_goes_on_where_it_was(logged_in: Place) -> None:
    files = tree(logged_in.root / "source", {"large.bin": random.Random(3).randbytes(40_000_000)})
    with logged_in.remote() as remote:
        header = {"op": "look", "base": str(logged_in.folder), "paths": ["large.bin"]}
        part_of_it(logged_in, files[0], 30_000_000)
        begun = time.monotonic()
        send(logged_in, remote, files)
        assert time.monotonic() - begun < 20
        assert remote.call(header)["found"][0][1] == 40_000_000
    assert (logged_in.folder / "large.bin").read_bytes() == (logged_in.root / "source" / "large.bin").read_bytes()


@pytest.mark.parametrize("wrong", [False, True])
def test_a_part_of_another_content_does_not_count(logged_in: Place, wrong: bool) -> None:
    files = tree(logged_in.root / "source", {"large.bin": random.Random(3).randbytes(4_000_000)})
    part = part_of_it(logged_in, files[0], 3_000_000)
    if wrong:
        part.write_bytes(b"\0" * 3_000_000)
    with logged_in.remote() as remote:
        send(logged_in, remote, files)
    assert (logged_in.folder / "large.bin").read_bytes() == (logged_in.root / "source" / "large.bin").read_bytes()
    assert not part.exists()


def part_of_it(place: Place, one: Local, size: int) -> Path:
    """What an upload that broke off leaves."""
    import hashlib

    mark = hashlib.sha256(f"{one.size} {one.changed}".encode()).hexdigest()[:16]
    part = place.folder / f".{one.there}.{mark}.part~"
    part.write_bytes(Path(one.path).read_bytes()[:size])
    return part


def test_ssh_killed_in_the_middle_of_a_file_leaves_no_half_file_and_a_new_login_goes_on(place: Place) -> None:
    place.run("login", "hpc")
    files = tree(place.root / "source", {"large.bin": random.Random(4).randbytes(150_000_000)})
    ssh = next(one for one in place.processes() if "ssh" in name_of(one))
    with place.remote() as remote:
        import threading

        def kill() -> None:
            until(lambda: any(place.folder.glob(".large*.part~")))
            time.sleep(0.05)
            ssh.send_signal(signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(Lost, match="jobs there go on"):
            send(place, remote, files)
        thread.join()
    assert not (place.folder / "large.bin").exists()
    until(lambda: place.processes() == [])
    have = next(place.folder.glob(".large*.part~")).stat().st_size
    assert 0 < have < 150_000_000
    place.run("login", "hpc")
    with place.remote() as remote:
        send(place, remote, files)
        bring(place, remote)
    assert (place.root / "here" / "large.bin").read_bytes() == (place.root / "source" / "large.bin").read_bytes()


def test_a_large_download_goes_on_where_it_was(logged_in: Place) -> None:
    data = random.Random(5).randbytes(6_000_000)
    (logged_in.folder / "large.bin").write_bytes(data)
    info = (logged_in.folder / "large.bin").stat()
    here = logged_in.root / "here"
    here.mkdir()
    part = here / f".large.bin.{info.st_size:x}-{info.st_mtime_ns:x}.part~"
    part.write_bytes(data[:4_000_000])
    with logged_in.remote() as remote:
        bring(logged_in, remote)
    assert contents(here) == {"large.bin": data}


def test_a_file_that_changes_while_it_is_sent_is_not_sent_in_halves(logged_in: Place) -> None:
    files = tree(logged_in.root / "source", {"a.bin": b"x" * 1000, "b.bin": b"x" * 1_000_000})
    for one in files:
        Path(one.path).write_bytes(b"y" * 999_999)
        with logged_in.remote() as remote, pytest.raises(RunnerError, match="changed while it was sent"):
            send(logged_in, remote, [one])
    assert contents(logged_in.folder) == {}


def test_globs_mean_there_what_they_mean_here(logged_in: Place) -> None:
    from runner.state.outputs import matches

    paths = ["a.csv", "x/a.csv", "x/y/b.csv", "x/y/c.tif", "im.zarr/0/0", "b[1].csv", ".hid.csv"]
    for path in paths:
        (logged_in.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (logged_in.folder / path).write_bytes(b"1")
    with logged_in.remote() as remote:
        for pattern in ("*.csv", "x/**/*.csv", "x/*/?.tif", "im.zarr", "**", "x", "b[[]1].csv", "nothing", "x/y/*"):
            here = set()
            for found in matches(pattern, str(logged_in.folder)):
                whole = [found] if found.is_file() else [p for p in found.rglob("*") if p.is_file()]
                here |= {str(p.relative_to(logged_in.folder)) for p in whole}
            there = {one.path for one in listed(remote, str(logged_in.folder), [pattern])}
            assert here <= there, pattern
            assert there - here <= {".hid.csv"}, pattern


def test_paths_of_windows_have_a_place_of_their_own_there() -> None:
    data, repo = PureWindowsPath(r"D:\set 1\plate"), PureWindowsPath(r"C:\lab\pipelines")
    places = Places(repo, data, "SCOPE-3", "/scratch/lab")
    assert places.there(PureWindowsPath(r"c:\LAB\pipelines\standard_code\x.py")) == "standard_code/x.py"
    assert places.there(PureWindowsPath(r"D:\set 1\plate\a\b.tif")) == "data/SCOPE-3/D/set 1/plate/a/b.tif"
    assert places.there(PureWindowsPath(r"D:\other\b.tif")) is None
    assert places.absolute(data / "p.yaml") == "/scratch/lab/data/SCOPE-3/D/set 1/plate/p.yaml"
    assert names.as_data(PureWindowsPath(r"\\nas\share\x"), "pc") == "data/pc/nas/share/x"
    assert names.as_data(PureWindowsPath(r"\\?\D:\x"), "pc") == "data/pc/D/x"


@pytest.mark.parametrize(
    "name", ["con", "NUL.txt", "com1.tif", "LPT9", "a ", "a.", "a:b", "a\\b", "a*", "tab\t", "x/aux.c/y"]
)
def test_windows_refuses(name: str) -> None:
    assert names.problem(name, "win32")
    assert not names.problem(name, "linux")


@pytest.mark.parametrize("name", ["console.txt", "a.b", "ünï", "com10", ".hidden", "x y/z"])
def test_windows_takes(name: str) -> None:
    assert not names.problem(name, "win32")


def test_a_file_that_cannot_be_written_here_keeps_no_other_one_away(logged_in: Place) -> None:
    for name in ("a/x.csv", "b.csv", "big/large.bin", "c.csv"):
        (logged_in.folder / name).parent.mkdir(exist_ok=True)
        (logged_in.folder / name).write_bytes(b"1" * (400_000 if "large" in name else 10))
    here = logged_in.root / "here"
    here.mkdir()
    (here / "a").write_text("no folder")
    (here / "big").write_text("no folder")
    with logged_in.remote() as remote:
        done = bring(logged_in, remote).done
    assert sorted(contents(here)) == ["a", "b.csv", "big", "c.csv"]
    assert len(done.refused) == 2


def test_a_full_disk_here_is_told_and_leaves_no_half_file(logged_in: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from runner.errors import StateError

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    (logged_in.folder / "a.csv").write_bytes(b"a")
    monkeypatch.setattr(Path, "replace", full)  # a disk of ours cannot be filled without being root
    with logged_in.remote() as remote, pytest.raises(StateError, match="is full"):
        bring(logged_in, remote)
    assert not (logged_in.root / "here" / "a.csv").exists()


def test_a_file_that_is_gone_when_its_turn_comes_is_told(logged_in: Place) -> None:
    files = tree(logged_in.root / "source", {"a.bin": b"x"})
    Path(files[0].path).unlink()
    with logged_in.remote() as remote, pytest.raises(RunnerError, match=r"a\.bin cannot be read"):
        send(logged_in, remote, files)


def test_one_file_sent_twice_at_once_is_never_half(logged_in: Place) -> None:
    from concurrent.futures import ThreadPoolExecutor

    data = random.Random(6).randbytes(30_000_000)
    files = tree(logged_in.root / "source", {"large.bin": data})
    target = logged_in.folder / "large.bin"
    seen: set[int] = set()

    def one(number: int) -> None:
        with logged_in.remote() as remote:
            upload(remote, str(logged_in.folder), files, Known(logged_in.root / f"{number}.json"))

    with ThreadPoolExecutor(4) as threads:
        ends = [threads.submit(one, number) for number in range(3)]
        while not all(end.done() for end in ends):
            if target.exists():
                seen.add(target.stat().st_size)
            time.sleep(0.005)
        for end in ends:
            end.result()
    assert seen <= {len(data)}
    assert target.read_bytes() == data


def test_folders_that_no_pattern_means_are_not_gone_through() -> None:
    from runner.login.agent import leads

    assert leads(["data", "day 1"], ["data", "*", "out", "*.tif"])
    assert not leads(["other"], ["data", "*", "out", "*.tif"])
    assert leads(["data", "x", "out", "deep", "er"], ["data", "*", "out"])  # in a folder that is meant
    assert leads(["a", "b", "c"], ["**", "*.tif"])
