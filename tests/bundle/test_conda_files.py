"""What becomes of a conda environment's files on the way to another folder, whatever happened to them before."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.bundle.conda.clone import clone_packed
from runner.bundle.conda.pack import PackedConda, pack
from runner.bundle.conda.unpack import does_not_fit, read_index, unpack
from runner.bundle.fits import System, check_paths
from runner.bundle.form import Unusable
from runner.bundle.opened import opened
from runner.environments import kind
from runner.environments.conda.packed import folder_name
from runner.environments.site import Site
from runner.environments.spec import parse_environment
from runner.environments.store import platform_folder
from runner.errors import EnvironmentMissing, Interrupted, InTheWay
from runner.host import Captured, this_host
from tests.bundle.conda_prefix_files import PLACEHOLDER, PROGRAM, install, written
from tests.bundle.making import write_bundle
from tests.bundle.test_make import index, works
from tests.bundle.works import Works, read, segments

__all__ = ["index", "works"]  # fixtures

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these environments are laid out as on POSIX")
TEXT = f"models = {PLACEHOLDER}/models\n".encode()
PYTHON = b"#!" + PLACEHOLDER.encode() + b"/bin/python\nprint(1)\n"
FILES = {"bin/cells": PROGRAM, "bin/count": PYTHON, "etc/cells.conf": TEXT, "lib/cells.py": b"COUNT = 1\n"}
HOST = this_host(interactive=False)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "conda" / "envs" / "cell"
    install(folder, tmp_path / "conda" / "pkgs", "cells", FILES)
    return folder


@pytest.fixture
def packed(tmp_path: Path, prefix: Path) -> Callable[[], PackedConda]:
    return lambda: pack("cell", prefix, tmp_path / "out", HOST, "linux", "x86_64")


@pytest.fixture
def moved(tmp_path: Path, packed: Callable[[], PackedConda]) -> Callable[..., Path]:
    """Packs, and unpacks in another place while nothing of the old one is there."""

    def move(name: str = "far/far away and rather deep down") -> Path:
        assert packed().name == "cell"
        hidden = tmp_path / "hidden"
        (tmp_path / "conda").rename(hidden)
        try:
            return unpack(tmp_path / "out", "cell", tmp_path / name, HOST)
        finally:
            hidden.rename(tmp_path / "conda")

    return move


def holds(made: Path) -> dict[str, bytes]:
    return {name: (made / name).read_bytes() for name in FILES}


def test_a_package_is_as_it_would_have_been_installed_there(moved: Callable[..., Path]) -> None:
    made = moved()
    script = b"#!/bin/sh\n'''exec' \"%b/bin/python\" \"$0\" \"$@\" #'''\nprint(1)\n" % str(made).encode()
    assert holds(made) == {name: written(data, made) for name, data in FILES.items()} | {"bin/count": script}
    assert os.access(made / "bin" / "cells", os.X_OK)
    assert not os.access(made / "lib" / "cells.py", os.X_OK)


def test_it_needs_no_package_cache(
    tmp_path: Path, packed: Callable[[], PackedConda], moved: Callable[..., Path]
) -> None:
    shutil.rmtree(tmp_path / "conda" / "pkgs")
    made = moved()
    assert packed().notes == packed().missing == ()
    assert (made / "bin" / "cells").read_bytes() == written(PROGRAM, made)


def test_a_changed_file_is_named_and_goes_as_it_is(
    prefix: Path, packed: Callable[[], PackedConda], moved: Callable[..., Path]
) -> None:
    (prefix / "lib" / "cells.py").write_bytes(b"COUNT = 2  # in %b/envs\n" % str(prefix).encode())
    (prefix / "etc" / "cells.conf").unlink()
    changed, gone = packed().notes
    assert "changed after they were installed, and packed as they are: lib/cells.py" in changed
    assert "not there; packed without: etc/cells.conf" in gone
    made = moved()
    assert (made / "lib" / "cells.py").read_text(encoding="utf-8") == f"COUNT = 2  # in {made}/envs\n"
    assert not (made / "etc" / "cells.conf").exists()


@pytest.mark.parametrize("left", [b"", b"\0" * 10])
def test_a_damaged_file_comes_from_the_package_cache_or_is_missing(
    tmp_path: Path, prefix: Path, packed: Callable[[], PackedConda], moved: Callable[..., Path], left: bytes
) -> None:
    for name in ("lib/cells.py", "bin/cells"):
        (prefix / name).write_bytes(left)
    assert packed().notes == ("conda environment cell: damaged; taken from the package cache: bin/cells, lib/cells.py",)
    made = moved()
    assert (made / "bin" / "cells").read_bytes() == written(PROGRAM, made)
    (tmp_path / "conda/pkgs/cells-1.0-0/lib/cells.py").write_bytes(b"COUNT = 7\n")
    (missing,) = packed().missing
    assert "damaged, and not in the package cache: lib/cells.py." in missing
    assert "--force-reinstall" in missing


def test_only_the_folder_itself_is_replaced_however_it_is_spelled(
    tmp_path: Path, prefix: Path, moved: Callable[..., Path]
) -> None:
    """conda-pack#245, #386: made by way of a link, or moved since; /envs/cellpose begins as /envs/cell does."""
    link = tmp_path / "by a link"
    link.symlink_to(prefix.parent)
    scripts = {"linked": link / "cell", "before": Path("/gone/before/it/was/moved")}
    (prefix / "bin" / "odd").write_text("#!/none-such/bin/python\n", encoding="utf-8")
    (prefix / "bin" / "python").symlink_to(sys.executable)
    for name, folder in scripts.items():
        (prefix / "bin" / name).write_text(f"#!{folder}/bin/python\nat = '{folder}/x'\n", encoding="utf-8")
    others = f"{prefix}pose {prefix}.old {prefix}-2 {prefix}. ({prefix}) {prefix}é\n"
    (prefix / "notes.txt").write_text(others, encoding="utf-8")
    (prefix / "latin.txt").write_bytes(f"{prefix}/größe\n".encode("latin-1"))
    made = moved("far")
    for name in scripts:
        assert (made / "bin" / name).read_text(encoding="utf-8") == f"#!{made}/bin/python\nat = '{made}/x'\n"
    assert (made / "bin" / "odd").read_text(encoding="utf-8") == "#!/none-such/bin/python\n"
    expected = f"{prefix}pose {prefix}.old {prefix}-2 {made}. ({made}) {prefix}é\n"
    assert (made / "notes.txt").read_text(encoding="utf-8") == expected
    assert (made / "latin.txt").read_bytes() == f"{made}/größe\n".encode("latin-1")


def test_what_lies_outside_is_named_and_what_lies_inside_is_not(
    prefix: Path, packed: Callable[[], PackedConda]
) -> None:
    """conda-pack#66: a .pth file is no package that is being developed."""
    packages = prefix / "lib" / "python3.11" / "site-packages"
    own = packages / "my_tool-1.0.dist-info"
    own.mkdir(parents=True)
    (packages / "inside.pth").write_text(f"# a remark\nimport sys\nfolder\n{prefix}/lib/more\n", encoding="utf-8")
    assert packed().missing == ()
    url = {"url": "file:///home/ada/my%20tool", "dir_info": {"editable": True}}
    (own / "direct_url.json").write_text(json.dumps(url), encoding="utf-8")
    (packages / "__editable__.my_tool.pth").write_text("/home/ada/my tool/src\n", encoding="utf-8")
    (packages / "lab.pth").write_text("/data/lab\n", encoding="utf-8")
    told = packed().missing
    assert [line.partition(":")[2].split(". ")[0] for line in told] == [
        " my_tool lies in /home/ada/my tool (pip install -e)",
        " lab.pth adds the folder /data/lab, which is not part of it",
    ]


def test_no_password_goes_along(tmp_path: Path, prefix: Path, packed: Callable[[], PackedConda]) -> None:
    secret = "https://ada:secret@conda.example/t/to-ken/forge"
    (prefix / "conda-meta" / "history").write_text(f"# cmd: conda create -c {secret}\n", encoding="utf-8")
    for name in ("pip.conf", ".condarc"):
        (prefix / name).write_text(f"{secret}\n", encoding="utf-8")
    (prefix / "conda-meta" / "state").write_text('{"version": 1, "env_vars": {"LAB_TOKEN": "x"}}', encoding="utf-8")
    left, variables = packed().notes
    assert "they stay here: .condarc, pip.conf" in left
    assert "they go along with their values: LAB_TOKEN" in variables
    made = unpack(tmp_path / "out", "cell", tmp_path / "there", HOST)
    for file in made.rglob("*"):
        assert file.is_dir() or not {b"secret", b"to-ken"} & set(re.split(rb"[:@/]", file.read_bytes()))
    assert "https://conda.example/forge" in (made / "conda-meta" / "history").read_text(encoding="utf-8")


def test_links_stay_links_and_one_that_leads_out_is_named(
    prefix: Path, packed: Callable[[], PackedConda], moved: Callable[..., Path]
) -> None:
    (prefix / "lib" / "absolute.py").symlink_to(prefix / "lib" / "cells.py")
    (prefix / "lib" / "folder").symlink_to("../etc")
    (prefix / "lib" / "driver").symlink_to("/usr/lib/driver.so")
    (prefix / "empty" / "folder").mkdir(parents=True)
    (note,) = packed().notes
    assert note.endswith("lib/driver -> /usr/lib/driver.so")
    made = moved()
    assert (made / "lib" / "absolute.py").readlink() == Path("cells.py")
    assert (made / "lib" / "folder" / "cells.conf").is_file()
    assert (made / "empty" / "folder").is_dir()


def test_environments_share_the_archives_of_their_packages(tmp_path: Path, prefix: Path) -> None:
    other = tmp_path / "other place" / "second"
    install(other, tmp_path / "other pkgs", "cells", FILES)
    for file in FILES:
        os.utime(other / file, (prefix / file).stat()[7:9])
    out = tmp_path / "out"
    first, second = (pack(one.name, one, out, HOST, "linux", "x86_64") for one in (prefix, other))
    assert set(first.files) & set(second.files) == {file for file in first.files if file.startswith("packages/")}
    assert (
        first.licences[0][:3] if isinstance(first.licences[0], tuple) else first.licences[0].licence == "BSD-3-Clause"
    )
    assert [text.name for text in first.licences[0].texts] == ["LICENSE.txt"]
    made = unpack(out, "second", tmp_path / "there", HOST)
    assert (made / "etc" / "cells.conf").read_bytes() == written(TEXT, made)


def test_one_that_was_unpacked_can_be_packed_again(tmp_path: Path, moved: Callable[..., Path]) -> None:
    made = moved()
    again = pack("cell", made, tmp_path / "again", HOST, "linux", "x86_64")
    assert (again.notes, again.missing) == ((), ())
    assert set(again.files) == {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")
    }


def test_for_another_system_it_is_named_with_a_recipe(tmp_path: Path, prefix: Path) -> None:
    packed = pack("cell", prefix, tmp_path / "out", HOST, "windows", "amd64")
    assert packed.files == ("cell.txt",)
    assert packed.missing == (
        "the conda environment cell: it is one of linux-64, and the bundle is for win-64. "
        "Make it there; its packages: .bundle/conda/cell.txt",
    )
    recipe = (tmp_path / "out" / "cell.txt").read_text(encoding="utf-8").splitlines()
    assert recipe[-2:] == ["@EXPLICIT", f"https://conda.example/forge/linux-64/cells-1.0-0.conda#{'0' * 32}"]


def test_none_or_a_damaged_one_is_named(tmp_path: Path, prefix: Path, packed: Callable[[], PackedConda]) -> None:
    assert pack("x", None, tmp_path / "out", HOST, "linux", "x86_64").missing == (
        "the conda environment x: there is none on this machine",
    )
    (prefix / "conda-meta" / "cells-1.0-0.json").write_text("{", encoding="utf-8")
    assert "cells-1.0-0.json is damaged" in packed().missing[0]


def test_a_folder_that_is_too_long_is_refused_before_anything_is_written(
    tmp_path: Path, packed: Callable[[], PackedConda]
) -> None:
    packed()
    index = read_index(tmp_path / "out" / "cell.json")
    assert does_not_fit(index, tmp_path / "there", HOST) == ""
    far = tmp_path / ("long" * 50) / "there"
    assert f"room for {len(PLACEHOLDER)}" in does_not_fit(index, far, HOST)
    with pytest.raises(EnvironmentMissing, match="room for"):
        unpack(tmp_path / "out", "cell", far, HOST)
    assert not far.exists()


def test_a_bundle_is_refused_where_its_programs_have_no_room(
    tmp_path: Path, prefix: Path, packed: Callable[[], PackedConda]
) -> None:
    (prefix / "lib" / ("deep" * 25)).touch()
    content = {f"conda/{name}": (tmp_path / "out" / name).read_bytes() for name in packed().files}
    with opened(write_bundle(tmp_path / "lab.bundle", content)) as bundle:
        check_paths(bundle, Path("/lab"), System("linux", "x86_64", 0))
        with pytest.raises(Unusable, match=f"conda environment cell .* have room for {len(PLACEHOLDER)}"):
            check_paths(bundle, Path("/" + "l" * 220), System("linux", "x86_64", 0))
        with pytest.raises(Unusable, match=r"too long for Windows by \d+ characters.*\.conda/cell\.part/lib/deepdeep"):
            check_paths(bundle, Path("/" + "l" * 190), System("windows", "x86_64", 200))


def test_run_pipeline_bundle_takes_it_along_with_its_licence(works: Works) -> None:
    """Named by its folder, beside a pipeline outside the repository: there that lies in it."""
    prefix = works.data / "my envs" / "cell"
    install(prefix, works.root / "pkgs", "cells", FILES)
    (prefix / "lib" / "cells.py").write_bytes(b"COUNT = 2\n")
    works.pipeline(segments("./my envs/cell", f"conda:{prefix}"))
    made = works.bundle()
    assert (made.conda, len(made.notes)) == ([str(prefix)], 1)
    assert [one for one in made.manifest.missing if "conda" in one] == []
    assert read(works.output, "licences/cells-1.0/LICENSE.txt") == "The licence of cells.\n"
    assert re.search(r"(?m)^cells +1.0 +BSD-3-Clause$", read(works.output, "licences/LICENCES.txt"))
    there = works.root / "there"
    with zipfile.ZipFile(works.output) as archive:
        archive.extractall(there, [name for name in archive.namelist() if name.startswith("conda/")])
    (index,) = (there / "conda").glob("*.json")
    unpacked = unpack(there / "conda", index.stem, there / ".venvs", HOST)
    spec = parse_environment(str(there / "pipelines" / works.data.name / "my envs" / "cell"), "", "linux")
    site = Site(HOST, there, {}, there / ".venvs")
    assert kind(spec).folder(spec, [], site) == unpacked
    assert kind(spec).check(spec, ["cells"], site) == []
    made = works.bundle(platform="windows")
    assert made.conda == []
    assert "one of linux-64, and the bundle is for win-64" in " ".join(made.manifest.missing)


def test_packing_can_be_stopped(tmp_path: Path, prefix: Path) -> None:
    def stop() -> None:
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        pack("cell", prefix, tmp_path / "out", HOST, "linux", "x86_64", stop)


def test_what_is_damaged_is_refused_and_nothing_counts_as_unpacked(
    tmp_path: Path, packed: Callable[[], PackedConda]
) -> None:
    out = tmp_path / "out"
    (archive,) = [file for file in packed().files if file.startswith("packages/")]
    data = (out / archive).read_bytes()
    for cut in (0, 5, len(data) // 2):
        (out / archive).write_bytes(data[:cut])
        with pytest.raises(EnvironmentMissing, match=r"packages/cells.* is damaged"):
            unpack(out, "cell", tmp_path / "there", HOST)
    assert list((tmp_path / "there" / ".conda").iterdir()) == []
    (out / archive).write_bytes(data)
    assert unpack(out, "cell", tmp_path / "there", HOST).is_dir()


def test_it_takes_the_place_of_an_older_one_and_of_nothing_else(
    tmp_path: Path, prefix: Path, packed: Callable[[], PackedConda]
) -> None:
    out, there = tmp_path / "out", tmp_path / "there"
    packed()
    made = unpack(out, "cell", there, HOST)
    (made / "kept").touch()
    assert (unpack(out, "cell", there, HOST) / "kept").exists()
    (prefix / "own.txt").write_text("1", encoding="utf-8")
    for text in ("1", "2"):
        (prefix / "own.txt").write_text(text, encoding="utf-8")
        packed()
        unpack(out, "cell", there, HOST)
        assert (made / "own.txt").read_text(encoding="utf-8") == text
    assert not (made / "kept").exists()
    shutil.rmtree(made)
    (made / "conda-meta").mkdir(parents=True)
    with pytest.raises(InTheWay):
        unpack(out, "cell", there, HOST)
    assert list(made.iterdir()) == [made / "conda-meta"]


def test_one_that_does_not_start_leaves_the_older_one(
    tmp_path: Path, prefix: Path, packed: Callable[[], PackedConda]
) -> None:
    python = prefix / "bin" / "python"
    python.symlink_to(sys.executable)
    packed()
    made = unpack(tmp_path / "out", "cell", tmp_path / "there", HOST)
    python.unlink()
    python.write_text("#!/bin/sh\necho of another machine >&2; exit 3\n", encoding="utf-8")
    python.chmod(0o755)
    packed()
    with pytest.raises(EnvironmentMissing, match="does not start: of another machine"):
        unpack(tmp_path / "out", "cell", tmp_path / "there", HOST)
    assert (made / "bin" / "python").is_symlink()
    assert json.loads((made.with_name("cell.json")).read_text(encoding="utf-8"))["whole"] is True
    assert sorted(path.name for path in made.parent.iterdir()) == ["cell", "cell.json"]


def test_one_that_was_moved_or_half_unpacked_is_not_used(tmp_path: Path, moved: Callable[..., Path]) -> None:
    made = moved("repo/.venvs")
    site = Site(HOST, tmp_path / "repo", {}, tmp_path / "repo" / ".venvs")
    spec = parse_environment("cell", "", "linux")
    assert kind(spec).check(spec, ["cells"], site) == []
    note = made.with_name("cell.json")
    text = note.read_text(encoding="utf-8")
    note.write_text(text.replace("true", "false"), encoding="utf-8")
    (found,) = kind(spec).check(spec, ["cells"], site)
    assert "in part only" in found.message
    note.write_text(text, encoding="utf-8")
    (tmp_path / "repo").rename(tmp_path / "elsewhere")
    site = Site(HOST, tmp_path / "elsewhere", {}, tmp_path / "elsewhere" / ".venvs")
    (found,) = kind(spec).check(spec, ["cells"], site)
    assert f"was unpacked for {made}, and works there alone" in found.message


def test_on_windows_programs_lie_elsewhere(tmp_path: Path) -> None:
    """By value: folders with slashes, since this test opens them."""
    asked: list[list[str]] = []

    def capture(argv: Sequence[str], **options: object) -> Captured:
        asked.append(list(argv))
        return Captured(0, b"", b"")

    host = replace(HOST, platform="win32", capture=capture)
    prefix = tmp_path / "Envs" / "Cell"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__main__.py", "import cells")
    files = {"python.exe": b"MZ\0", "Library/bin/cells.dll": b"MZ\0 cells", "Scripts/other.exe": b"MZ\0"}
    install(prefix, tmp_path / "pkgs", "cells", files, subdir="win-64")
    (prefix / "Library" / "bin").rename(prefix / "Library" / "Bin")  # which is the same there
    launcher = b"MZ\0 #!%b/python.exe\r\n" % str(prefix).lower().encode() + packed.getvalue()
    (prefix / "Scripts" / "count.exe").write_bytes(launcher)
    (prefix / "Scripts" / "count-script.py").write_text(f"#!{prefix}/python.exe\n", encoding="utf-8")
    told = pack("cell", prefix, tmp_path / "out", host, "windows", "amd64")
    assert (told.missing, told.notes) == ((), ())
    made = unpack(tmp_path / "out", "cell", tmp_path / "new place", host)
    assert (
        (made / "Scripts" / "count.exe").read_bytes().startswith(b'MZ\0 #!"%b/python.exe"\r\nPK' % str(made).encode())
    )
    assert (made / "Scripts" / "count-script.py").read_text(encoding="utf-8") == f'#!"{made}/python.exe"\n'
    assert asked == [[str(made / "python.exe"), "-I", "-c", "import sys; print(sys.prefix)"]]
    index = read_index(tmp_path / "out" / "cell.json")
    far = tmp_path / ("y" * 230)
    assert does_not_fit(index, far, host) == ""
    assert "Windows takes 259 here: conda-meta/cells-1.0-0.json" in does_not_fit(index, far, host, long_paths=False)


def test_it_goes_with_its_store_to_another_share(
    tmp_path: Path, prefix: Path, packed: Callable[[], PackedConda]
) -> None:
    packed()
    first, second = tmp_path / "a", tmp_path / "further away" / "b"
    made = unpack(tmp_path / "out", "cell", first / platform_folder(HOST), HOST)
    other = first / "windows-arm64" / ".conda" / "cell"
    shutil.copytree(made, other)
    shutil.copy(made.with_name("cell.json"), other.with_name("cell.json"))
    done = list(clone_packed(first, second, HOST, lambda line: None))
    assert [(one.name.split("/")[0], one.good, one.state.split(";")[0]) for one in done] == [
        (platform_folder(HOST), True, "runs"),
        ("windows-arm64", False, "left out: of another system"),
    ]
    made = second / platform_folder(HOST) / ".conda" / "cell"
    assert (made / "bin" / "cells").read_bytes() == written(PROGRAM, made)
    assert sorted(path.name for path in made.parents[1].iterdir()) == [".conda"]


def test_each_environment_has_a_name_of_its_own() -> None:
    plain = ["cell", "mäuse", "cell-2.1_x"]
    assert [folder_name(name) for name in plain] == plain
    assert folder_name("root") == folder_name("base") == "base"
    odd = ["/opt/envs/cell", "./envs/cell", "C:\\envs\\cell", "a b", "aux", "..", "a:b", " ", "/"]
    names = [folder_name(name) for name in odd]
    assert len({*names, *plain}) == len(odd) + len(plain)
    assert names[0].startswith("cell-")
    assert not [name for name in names if name.startswith(".") or set(name) & set('/\\: "')]
