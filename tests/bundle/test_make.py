"""A bundle is made: what of a lock gets into it, and what becomes of what cannot."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv as uv_package

from runner.bundle.fetch import FAILED
from runner.errors import EnvironmentMissing, Interrupted, PipelineError, StateError, UsageError
from runner.process.stop import StopRequest
from tests.bundle.works import REPO, Index, Works, manifest_of, read, segments, serving, source_files, wheels_of
from tests.support.wheels import make_wheel

HERE = sys.platform == "linux"
TAGS = (
    *("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_34_x86_64", "cp311-cp311-win_amd64"),
    *("cp311-cp311-macosx_11_0_universal2", "cp311-cp311-musllinux_1_2_x86_64"),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with serving(tmp_path_factory.mktemp("index")) as index:
        index.wheel("tool")
        index.wheel("alpha", requires=["onlywin ; sys_platform == 'win32'", "old ; python_full_version < '3.11.4'"])
        index.wheel("onlywin")
        index.wheel("old")
        index.wheel("gamma", *TAGS)
        index.wheel("stable", "cp39-abi3-win_amd64", "cp39-abi3-manylinux2014_x86_64")
        index.wheel("linuxonly", "cp311-cp311-manylinux_2_17_x86_64")
        for tag in ("cp311-cp311-win_amd64", "cp311-cp311-linux_x86_64"):
            index.add(make_wheel(index.folder / "files", "torchlike", "2.4.0+cu124", tag=tag), "cuda")
        index.source("plain")
        index.source("compiled", "cp311-cp311-linux_x86_64")
        yield index


@pytest.fixture
def served(works: Works) -> Works:
    """With an index that answers as a server, so that pip fetches."""
    works.served = True
    works.own_project()
    return works


@pytest.fixture
def works(tmp_path: Path, index: Index, environments: Path) -> Iterator[Works]:
    index.asked.clear()
    yield Works(tmp_path, index, environments).make()
    index.spoil = lambda path, data: data


def test_each_wheel_is_once_in_it_for_the_targets_markers_and_tags(works: Works) -> None:
    works.groups(a=["alpha", "gamma"], b=["alpha", "stable"])
    works.pipeline(segments("uv:a", "uv:b", "uv:a"))
    made = works.bundle(platform="windows")
    assert wheels_of(works.output) == [
        "alpha-1.0-py3-none-any.whl", "gamma-1.0-cp311-cp311-win_amd64.whl", "old-1.0-py3-none-any.whl",
        "onlywin-1.0-py3-none-any.whl", "stable-1.0-cp39-abi3-win_amd64.whl", "tool-1.0-py3-none-any.whl",
    ]  # fmt: skip
    assert (made.wheels, made.shared) == (6, 3)
    told = manifest_of(works.output)
    assert [(one.name, one.text, one.python, one.segment) for one in told.environments] == [
        ("uv-a", "uv:a", "3.11", 1), ("uv-b", "uv:b", "3.11", 2),
    ]  # fmt: skip
    assert told.pipelines == ("pipelines/dåta set/pipeline.yaml",) == (told.environments[0].pipeline,)
    with zipfile.ZipFile(works.output) as archive:
        assert set(archive.namelist()) == {"manifest.json", *told.files}
        for name, packed in told.files.items():
            data = archive.read(name)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (packed.size, packed.sha256)
    assert works.left() == ["lab.bundle"]


def resolves(works: Works, there: Path, *packages: str) -> None:
    """uv would install the environment's pylock.toml on Windows, with these packages, without a network."""
    with zipfile.ZipFile(works.output) as archive:
        archive.extractall(there)
    words = ["pip", "install", "--dry-run", "--offline", "--python-platform", "windows", "--python-version", "3.11"]
    done = subprocess.run(
        [uv_package.find_uv_bin(), *words, "--target", "t", "--no-cache", "-r", "environments/uv-a/pylock.toml"],
        cwd=there, env=works.environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for package in packages:
        assert f" + {package}" in done.stderr


def test_what_the_target_cannot_have_is_told_before_anything_is_fetched(works: Works) -> None:
    works.groups(a=["alpha", "linuxonly"]).pipeline(segments("uv:a"))
    works.index.asked.clear()
    with pytest.raises(EnvironmentMissing) as refused:
        works.bundle(platform="windows")
    assert refused.value.message == (
        "uv:a (segment 1 of pipeline.yaml): of linuxonly 1.0 there is no wheel for Windows x86_64, Python 3.11"
    )
    assert "linuxonly-1.0-cp311-cp311-manylinux_2_17_x86_64.whl" in refused.value.cure
    assert works.index.asked == [] == works.left()


def test_a_lock_that_is_out_of_step_is_refused(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    project = works.repo / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace("['alpha']", "['alpha', 'gamma']"), encoding="utf-8")
    with pytest.raises(EnvironmentMissing, match=r"uv.lock"):
        works.bundle()
    assert works.left() == []


def test_the_same_input_gives_the_same_bytes(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    works.groups(a=["alpha", "gamma"]).pipeline(segments("uv:a"))
    killed = works.output.with_name(".lab.bundle.x1")
    killed.mkdir()
    sums = []
    for _ in range(2):
        works.bundle()
        sums.append(hashlib.sha256(works.output.read_bytes()).hexdigest())
        (works.repo / "scripts" / "count.py").touch()
    assert sums[0] == sums[1]
    assert works.left() == [".lab.bundle.x1", "lab.bundle"], "what a killed start left is not removed unasked"
    assert f"{killed} is of another start: remove it, unless that still runs" in works.said


def test_a_damaged_download_is_named_and_nothing_is_left(served: Works) -> None:
    served.groups(a=["alpha", "gamma"]).pipeline(segments("uv:a"))
    served.index.spoil = lambda name, data: data[:-1] + b"x" if name.startswith("gamma") else data
    with pytest.raises(EnvironmentMissing) as refused:
        served.bundle()
    assert refused.value.message.startswith(
        "gamma-1.0-cp311-cp311-manylinux_2_17_x86_64.whl is not the file of the lock"
    )
    assert served.left() == []


def test_a_download_that_breaks_off_goes_on(served: Works) -> None:
    served.groups(a=["alpha", "gamma"]).pipeline(segments("uv:a"))
    served.index.breaks["gamma-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"] = 100
    served.bundle()
    assert "gamma-1.0-cp311-cp311-manylinux_2_17_x86_64.whl" in wheels_of(served.output)


def test_where_the_locks_address_does_not_answer_the_users_index_is_asked_for_the_same_file(
    served: Works, index: Index
) -> None:
    served.groups(a=["alpha", "gamma"]).pipeline(segments("uv:a"))
    lock = served.repo / "uv.lock"
    lock.write_text(lock.read_text(encoding="utf-8").replace(f"{index.url}/files", "http://127.0.0.1:9/files"))
    served.bundle(UV_DEFAULT_INDEX=f"mine={index.url}/simple", PIP_RETRIES="0")
    assert "gamma-1.0-cp311-cp311-manylinux_2_17_x86_64.whl" in wheels_of(served.output)


def test_ctrl_c_leaves_nothing(served: Works) -> None:
    served.groups(a=["alpha", "gamma"]).pipeline(segments("uv:a"))
    served.bundle()  # the group with pip is there now
    served.output.unlink()
    stop = StopRequest()

    def spoil(name: str, data: bytes) -> bytes:
        stop.kind("Ctrl-C")
        return data

    served.index.spoil = spoil
    with pytest.raises(Interrupted):
        served.bundle(stop=stop, PIP_NO_CACHE_DIR="1")
    assert served.left() == []
    assert threading.active_count() < 10


def test_sources_are_built_and_told(works: Works) -> None:
    folder = works.repo / "beside"
    folder.mkdir()
    for name, text in source_files("beside").items():
        (folder / name).write_text(text, encoding="utf-8")
    more = '\n[tool.uv.sources]\nbeside = { path = "beside", editable = true }\n'
    works.groups(more, a=["plain", "beside"]).pipeline(segments("uv:a"))
    made = works.bundle(platform="windows", python=works_python())
    assert {"plain-1.0-py3-none-any.whl", "beside-1.0-py3-none-any.whl"} <= set(wheels_of(works.output))
    assert made.built == [
        f"beside 1.0 from the folder {folder.resolve()}, for any system".replace("beside 1.0", "beside"),
        "plain 1.0 from its source distribution, for any system",
    ]
    assert "plain   1.0  MIT" in read(works.output, "licences/LICENCES.txt")


@pytest.mark.skipif(not HERE, reason="its wheel says linux")
def test_what_has_to_be_compiled_cannot_be_had_for_another_system(works: Works) -> None:
    works.groups(a=["compiled"]).pipeline(segments("uv:a"))
    with pytest.raises(EnvironmentMissing) as refused:
        works.bundle(platform="windows", python=works_python())
    assert refused.value.message.startswith("compiled 1.0 cannot be had for Windows x86_64: the lock has its source")
    assert works.left() == []


def works_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


SCRIPT = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["alpha"]\n# ///\nimport alpha\n'


def test_a_script_without_a_lock_is_locked_for_the_bundle_alone(works: Works, index: Index) -> None:
    works.groups(a=[])
    (works.data / "measure.py").write_text(SCRIPT, encoding="utf-8")
    (works.data / "helper.py").write_text("", encoding="utf-8")
    works.pipeline(segments("script", command="%YAML%/measure.py"))
    made = works.bundle(UV_DEFAULT_INDEX=f"{works.address}/simple")
    assert made.locked == ["measure.py"]
    files = manifest_of(works.output).files
    place = "repo/pipelines/dåta set"
    assert {f"{place}/measure.py", f"{place}/measure.py.lock", f"{place}/helper.py"} <= set(files)
    assert "alpha-1.0-py3-none-any.whl" in wheels_of(works.output)
    assert not (works.data / "measure.py.lock").exists()
    assert [one.name for one in manifest_of(works.output).environments] == ["script-measure"]


def test_data_results_and_secrets_stay(works: Works) -> None:
    works.groups(a=["alpha"])
    (works.repo / ".env").write_text("TOKEN=secret\n", encoding="utf-8")
    (works.repo / "standard_code").mkdir()
    (works.repo / "standard_code" / "weights.onnx").write_bytes(b"weights")
    for name in ("image.tif", "settings.json", "results.csv", "declared.txt"):
        (works.data / name).write_text(name, encoding="utf-8")
    (works.data / "images").mkdir()
    works.pipeline(
        segments("uv:a")
        + """\
- name: Two
  environment: uv:a
  commands: [python, '%REPO%/scripts/count.py', --input, '%YAML%/image.tif', --settings: '%YAML%/settings.json',
    --folder, '%YAML%/images', --output: '%YAML%/results.csv']
- name: Three
  environment: uv:a
  inputs: '%YAML%/declared.txt'
  commands: [python, '%REPO%/scripts/count.py', '%YAML%/declared.txt']
"""
    )
    made = works.bundle()
    names = {name for name in manifest_of(works.output).files if name.startswith("repo/")}
    assert names - {name for name in names if name.startswith("repo/runner/")} == {
        "repo/pyproject.toml", "repo/uv.lock", "repo/scripts/count.py", "repo/standard_code/weights.onnx",
        "repo/pipelines/dåta set/pipeline.yaml", "repo/pipelines/dåta set/settings.json",
    }  # fmt: skip
    assert made.left == [
        f"segment 2 reads {works.data / 'image.tif'}", f"segment 2 reads {works.data / 'images'}",
        f"segment 3 reads {works.data / 'declared.txt'}", f"{works.repo / '.env'}: write one there, where it is needed",
    ]  # fmt: skip


def test_what_no_bundle_can_bring_is_named(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a", "imagej", "cmd", "conda:cells"))
    made = works.bundle(platform="windows", python="3.12")
    assert made.manifest.missing == (
        "segment 2 of pipeline.yaml: ImageJ or Fiji must be installed there (FIJI_PATH in .env says where)",
        "segment 3 of pipeline.yaml: it runs in a shell: the programs of its line must be installed there",
        made.manifest.missing[2],
        "Python 3.12 must be installed there: no Python is fetched (UV_PYTHON_DOWNLOADS)",
    )
    assert "conda environment cells" in made.manifest.missing[2]


def test_an_update_holds_only_what_is_new_also_on_top_of_an_update(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    works.bundle()
    whole = manifest_of(works.output)
    first = works.output.rename(works.root / "first.bundle")
    works.groups(a=["alpha", "gamma"])
    works.bundle(update=first)
    told = manifest_of(works.output)
    assert wheels_of(works.output) == ["gamma-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"]
    assert told.base == "lab.bundle" and told.base_files["wheels/alpha-1.0-py3-none-any.whl"]
    assert "repo/uv.lock" in told.files and "repo/scripts/count.py" in told.base_files
    assert "__main__.py" in told.files and set(whole.files) <= {*told.files, *told.base_files}
    second = works.output.rename(works.root / "second.bundle")
    (works.repo / "scripts" / "count.py").write_text("print(2)\n", encoding="utf-8")
    works.bundle(update=second)
    assert wheels_of(works.output) == []
    assert "wheels/gamma-1.0-cp311-cp311-manylinux_2_17_x86_64.whl" in manifest_of(works.output).base_files
    assert "repo/scripts/count.py" in manifest_of(works.output).files
    with pytest.raises(UsageError, match="is for linux x86_64, not for windows"):
        works.bundle(update=second, platform="windows")


def test_an_environment_below_another_or_with_modules_is_the_same(works: Works) -> None:
    works.groups(a=["alpha"])
    (works.data / "in").mkdir()
    text = segments("conda:cells + uv:a", "uv:a", "uv:a", "uv@3.12:a")
    text = text.replace("- name: S1\n", "- name: S1\n  resources: {modules: [cuda]}\n")
    works.pipeline(text.replace("- name: S2\n", "- name: S2\n  foreach: '%YAML%/in/*.tif'\n  env: {A: '%ITEM%'}\n"))
    made = works.bundle()
    assert [(one.name, one.segment) for one in made.manifest.environments] == [("uv-a", 1), ("uv-a-py3.12", 4)]
    assert made.left == [f"segment 3 goes over {works.data / 'in' / '*.tif'}"]


@pytest.mark.parametrize("data", [b"", b"PK", b"no bundle", None])
def test_an_update_of_what_is_no_bundle_is_refused(works: Works, data: bytes | None) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    old = works.root / "old.bundle"
    if data is not None:
        old.write_bytes(data)
    with pytest.raises((UsageError, StateError), match=r"old\.bundle"):
        works.bundle(update=old)


def test_a_file_that_is_no_bundle_is_not_replaced(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    works.output.write_text("my thesis", encoding="utf-8")
    with pytest.raises(UsageError, match="is no bundle"):
        works.bundle()
    assert works.output.read_text(encoding="utf-8") == "my thesis"


def test_a_disk_without_room_is_told_before_anything_is_fetched(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    monkeypatch.setattr("runner.bundle.before.free_space", lambda folder: 10)
    works.index.asked.clear()
    with pytest.raises(StateError, match="has 10 B free"):
        works.bundle()
    assert works.index.asked == []


def test_two_pipelines_in_folders_of_one_name_and_two_scripts_of_one_name_stay_apart(works: Works) -> None:
    works.groups(a=["alpha"])
    paths = []
    for name in ("one", "two"):
        folder = works.root / name / "plate"
        folder.mkdir(parents=True)
        (folder / "measure.py").write_text(SCRIPT + f"# {name}\n", encoding="utf-8")
        paths.append(folder / "p.yaml")
        paths[-1].write_text(segments("script", command="%YAML%/measure.py"), encoding="utf-8")
    works.bundle(*paths, UV_DEFAULT_INDEX=f"{works.address}/simple")
    told = manifest_of(works.output)
    assert told.pipelines == ("pipelines/plate/p.yaml", "pipelines/plate-2/p.yaml")
    assert [(one.name, one.pipeline) for one in told.environments] == [
        ("script-measure", "pipelines/plate/p.yaml"), ("script-measure-2", "pipelines/plate-2/p.yaml"),
    ]  # fmt: skip


def test_what_segments_need_of_this_computer_is_named(works: Works) -> None:
    works.groups(a=["alpha"])
    (works.repo / ".env").write_text("TOKEN=secret\n", encoding="utf-8")
    elsewhere = works.root / "elsewhere.py"
    elsewhere.write_text("", encoding="utf-8")
    text = segments("uv:a", command="%ELSEWHERE%/elsewhere.py").replace("]", ", '%TOKEN%']")
    works.pipeline(text)
    made = works.bundle(dotenv={"TOKEN": "secret", "ELSEWHERE": str(works.root)})
    assert made.manifest.missing[:3] == (
        "segment 1 of pipeline.yaml: ELSEWHERE must stand in .env there",
        "segment 1 of pipeline.yaml: TOKEN must stand in .env there",
        "segment 1: %ELSEWHERE%/elsewhere.py, which lies neither in the repository nor beside the pipeline file",
    )
    with zipfile.ZipFile(works.output) as archive:
        assert not any(b"secret" in archive.read(name) for name in archive.namelist())


def test_a_script_that_is_not_there_is_told_with_its_place(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a", command="%REPO%/scripts/gone.py"))
    with pytest.raises(PipelineError) as refused:
        works.bundle()
    assert [one.message for one in refused.value.diagnostics] == [
        f"there is no script {works.repo / 'scripts' / 'gone.py'}"
    ]
    assert works.left() == []


def test_without_a_network_it_says_what_would_be_fetched(served: Works) -> None:
    served.groups(a=["alpha"]).pipeline(segments("uv:a"))
    with pytest.raises(EnvironmentMissing, match=r"3 packages of this bundle must be fetched.*UV_OFFLINE"):
        served.bundle(UV_OFFLINE="1")


def stand_in_for_windows(folder: Path, version: str) -> dict[str, str]:
    """uv's variables for a mirror on this disk that has a Python for Windows; what is in it is none."""
    folder.mkdir()
    archive = folder / f"cpython-{version}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in {
            "python.exe": "no program",
            "LICENSE.txt": "PSF",
            "Lib/os.py": "",
            "Lib/__pycache__/x": "",
        }.items():
            info = tarfile.TarInfo(f"python/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    key = f"cpython-{version}-windows-x86_64-none"
    major, minor, patch = map(int, version.split("."))
    one = {
        "name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "windows", "libc": "none",
        "major": major, "minor": minor, "patch": patch, "prerelease": "", "variant": None, "build": "20240101",
        "url": archive.as_uri(), "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
    }  # fmt: skip
    (folder / "downloads.json").write_text(json.dumps({key: one}), encoding="utf-8")
    return {"UV_PYTHON_DOWNLOADS": "automatic", "UV_PYTHON_DOWNLOADS_JSON_URL": str(folder / "downloads.json")}


def test_the_interpreter_comes_from_the_users_mirror(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    made = works.bundle(platform="windows", **stand_in_for_windows(works.root / "mirror", "3.11.9"))
    (python,) = made.manifest.pythons
    assert python == ("3.11.9", "pythons/cpython-3.11.9-windows-x86_64.tar.gz")
    assert made.manifest.missing == ()
    with zipfile.ZipFile(works.output) as archive, tarfile.open(fileobj=archive.open(python.file)) as inner:
        (root,) = {name.split("/")[0] for name in inner.getnames()}
        assert {f"{root}/LICENSE.txt", f"{root}/python.exe", f"{root}/Lib/os.py"} <= set(inner.getnames())
        assert not any("__pycache__" in name for name in inner.getnames())
    assert read(works.output, "licences/CPython-3.11.9/LICENSE.txt") == "PSF"


def test_the_command_tells_what_became_of_it(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    words = ["bundle", str(works.data / "pipeline.yaml"), "--repo", str(works.repo), "--json", "--platform", "vax"]
    command = [sys.executable, "-m", "runner", *words]
    done = subprocess.run(command, cwd=REPO, env=works.environ(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --platform vax is not known\n")


def test_a_local_version_of_an_index_that_is_named_for_one_package_is_fetched_by_its_address(served: Works) -> None:
    """As PyTorch's own index has them: `torch-2.4.0%2Bcu124-...`, and no size in the lock."""
    more = '\n[tool.uv.sources]\ntorchlike = { index = "cuda" }\n'
    more += f'\n[[tool.uv.index]]\nname = "cuda"\nurl = "{served.index.url}/cuda"\nexplicit = true\n'
    served.groups(more, a=["torchlike==2.4.0+cu124"]).pipeline(segments("uv:a"))
    served.bundle(platform="windows")
    assert "torchlike-2.4.0+cu124-cp311-cp311-win_amd64.whl" in wheels_of(served.output)
    pylock = read(served.output, "environments/uv-a/pylock.toml")
    assert "../../wheels/torchlike-2.4.0+cu124-cp311-cp311-win_amd64.whl" in pylock and "http" not in pylock


def test_files_that_windows_takes_for_one_are_refused(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    for name in ("Notes.txt", "notes.txt"):
        (works.repo / "scripts" / name).write_text("", encoding="utf-8")
    if len(list((works.repo / "scripts").iterdir())) < 3:
        pytest.skip("this disk cannot have both")
    with pytest.raises(UsageError, match=r"Notes\.txt"):
        works.bundle()
    assert works.left() == []


def test_a_member_of_a_workspace_is_refused(works: Works) -> None:
    works.groups(a=["alpha"]).pipeline(segments("uv:a"))
    name = '[tool.uv.workspace]\nmembers = ["répo sitory"]\n'
    (works.root / "pyproject.toml").write_text(name, encoding="utf-8")
    with pytest.raises(UsageError, match="belongs to the workspace"):
        works.bundle()


def test_on_linux_tqdm_brings_colorama_into_a_bundle_for_windows(works: Works, tmp_path: Path) -> None:
    """Real packages: `pip download --platform win_amd64` would leave colorama out."""
    works.of_pypi("tqdm").pipeline(segments("uv:a"))
    works.bundle(platform="windows")
    assert {name.split("-")[0] for name in wheels_of(works.output)} == {"tqdm", "colorama", "tool"}
    resolves(works, tmp_path / "there", "tqdm==", "colorama==")


def test_a_package_that_cannot_be_fetched_is_named_and_is_no_ctrl_c(served: Works, index: Index) -> None:
    served.groups(a=["alpha", "gamma"]).pipeline(segments("uv:a"))
    lock = served.repo / "uv.lock"
    lock.write_text(lock.read_text(encoding="utf-8").replace(f"{index.url}/files/gamma", "http://127.0.0.1:9/gamma"))
    stop = StopRequest()
    with pytest.raises(EnvironmentMissing) as failed:
        served.bundle(stop=stop, PIP_RETRIES="0", PIP_INDEX_URL="http://127.0.0.1:9")
    assert failed.value.message == "gamma-1.0-cp311-cp311-manylinux_2_17_x86_64.whl could not be fetched"
    assert stop.reason in ("", FAILED)
    assert served.left() == []


@pytest.mark.parametrize(
    ("platform", "needed"), [("windows", "WSL must be there, with Debian, and uv:a in it"), ("linux", "")]
)
def test_a_distribution_of_wsl_counts_for_windows_alone(works: Works, platform: str, needed: str) -> None:
    text = segments("uv:a").replace("  commands", "  use-linux-distro: Debian\n  commands")
    works.groups(a=["alpha"]).pipeline(text)
    made = works.bundle(platform=platform)
    first = made.manifest.missing[0]
    assert [one.name for one in made.manifest.environments] == ([] if needed else ["uv-a"])
    assert first == (f"segment 1 of pipeline.yaml: {needed}" if needed else made.manifest.missing[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_the_lock_of_a_script_is_in_it_also_where_the_pipeline_is_named_through_a_link(works: Works) -> None:
    works.groups(a=[])
    (works.data / "measure.py").write_text(SCRIPT, encoding="utf-8")
    works.pipeline(segments("script", command="%YAML%/measure.py"))
    link = works.root / "link"
    link.symlink_to(works.data)
    works.bundle(link / "pipeline.yaml", UV_DEFAULT_INDEX=f"{works.address}/simple")
    assert "repo/pipelines/link/measure.py.lock" in manifest_of(works.output).files
