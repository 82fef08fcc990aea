"""`modules` of a segment's `resources:`, with the real Environment Modules of this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.environments import Site, kind, modules_system
from runner.environments.modules_system import find_system
from runner.environments.spec import parse_environment, with_modules
from runner.errors import PipelineError
from runner.host import this_host
from runner.model import Finding, Mark, Segment
from runner.pipeline.reader import parse_pipeline
from tests.conda.conda_layout import make_base, make_environment
from tests.support.lab import Lab, segment, shell

SYSTEM = find_system(this_host(interactive=False))
needs_modules = pytest.mark.skipif(isinstance(SYSTEM, Finding), reason="no Environment Modules or Lmod here")
SHOW = 'echo "<$PATH> <$LD_LIBRARY_PATH> <$CC_HOME> <$LOADEDMODULES>"'


@pytest.fixture
def modulefiles(tmp_path: Path) -> Path:
    """gcc in two versions that conflict, cuda with one version, a broken one and one that talks."""
    folder = tmp_path / "module files"
    files = {
        "gcc/11": 'conflict gcc\nprepend-path PATH /opt/gcc11/bin\nsetenv CC_HOME "/opt/gcc 11"\nsetenv ONLY_11 1\n',
        "gcc/12": 'conflict gcc\nprepend-path PATH /opt/gcc12/bin\nsetenv CC_HOME "/opt/gcc 12 $HOME;"\n',
        "cuda/12.4": "prepend-path LD_LIBRARY_PATH /opt/cuda/lib64\nputs stderr {Loading the CUDA toolkit}\n",
        "python/3.99": "prepend-path PATH /opt/python/bin\nsetenv PYTHONPATH /opt/python/packages\n"
        "setenv UV_PYTHON 3.99\n",
        "bad/1": "nonsense here\n",
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#%Module1.0\n" + text.replace("$HOME;", "\\$HOME;"), encoding="utf-8")
    return folder


def line(done: subprocess.CompletedProcess[str]) -> str:
    return next(text for text in done.stdout.splitlines() if text.startswith("<"))


@needs_modules
def test_what_modules_change_reaches_a_segment(lab: Lab, modulefiles: Path) -> None:
    pipeline = lab.pipeline([shell("Show", SHOW, resources={"modules": ["gcc/12", "cuda"]})])
    path, libraries, home, loaded = line(lab.run(pipeline, MODULEPATH=str(modulefiles)))[1:-1].split("> <")
    assert path.split(":")[0] == "/opt/gcc12/bin"
    assert libraries.split(":")[0] == "/opt/cuda/lib64"
    assert (home, loaded) == ("/opt/gcc 12 $HOME;", "gcc/12:cuda/12.4")
    (receipt,) = lab.receipts(pipeline)
    assert (receipt["environment"]["kind"], receipt["environment"]["modules"]) == ("shell", ["gcc/12", "cuda/12.4"])


@needs_modules
def test_one_name_may_stand_alone(lab: Lab, modulefiles: Path) -> None:
    pipeline = lab.pipeline([shell("Show", SHOW, resources={"modules": "gcc/12"})])
    assert line(lab.run(pipeline, MODULEPATH=str(modulefiles))).endswith("<gcc/12>")


@needs_modules
def test_what_is_loaded_around_the_runner_does_not_count(lab: Lab, modulefiles: Path) -> None:
    """Without that, gcc/12 would conflict with it."""
    text = f'eval "$("{SYSTEM}" bash load gcc/11)"; exec env -0'
    around = subprocess.run(
        ["bash", "-c", text], env=lab.environ(MODULEPATH=str(modulefiles)), capture_output=True, check=True
    )
    loaded = dict(one.split("=", 1) for one in around.stdout.decode().split("\0") if "=" in one)
    assert loaded["ONLY_11"] == "1"
    pipeline = lab.pipeline([shell("Show", SHOW + '; echo "[$ONLY_11]"', resources={"modules": "gcc/12"})])
    done = lab.run(pipeline, **loaded)
    assert "gcc11" not in line(done)
    assert "[]" in done.stdout


@needs_modules
def test_what_a_site_loads_for_all_jobs_stays_below_the_segments_own(lab: Lab, modulefiles: Path) -> None:
    environ = {"MODULEPATH": str(modulefiles), "RUN_PIPELINE_MODULES": "cuda gcc/12"}
    pipeline = lab.pipeline([shell("Show", SHOW, resources={"modules": ["python", "gcc/12"]})])
    assert line(lab.run(pipeline, **environ)).endswith("<cuda/12.4:python/3.99:gcc/12>")


@needs_modules
@pytest.mark.parametrize(
    ("names", "said", "cure"),
    [
        (["gcc/12", "nosuch"], "the module 'nosuch' cannot be loaded behind gcc/12", "`module avail` in a shell"),
        (["gcc/13"], "Unable to locate a modulefile for 'gcc/13'", "There are: gcc/11, gcc/12."),
        (["gcc/11", "gcc/12"], "due to a conflict", "Take one of those that conflict out"),
        (["bad"], "the module 'bad' cannot be loaded", "It is there, but fails"),
        (["$(x)`y`"], "the module '$(x)`y`' cannot be loaded", ""),
    ],
)
def test_a_module_that_cannot_be_loaded_is_named_with_its_place_before_anything_runs(
    lab: Lab, modulefiles: Path, names: Sequence[str], said: str, cure: str
) -> None:
    pipeline = lab.data / "pipeline.yaml"
    resources = f"{{modules: [{', '.join(names)}]}}"
    text = f"run:\n- name: Show\n  environment: cmd\n  resources: {resources}\n  commands: [echo hi]\n"
    pipeline.write_text(text, encoding="utf-8")
    column = text.splitlines()[3].index(names[-1]) + 1
    for command in (["check", pipeline], [pipeline]):
        done = lab.run(*command, check=3, MODULEPATH=str(modulefiles))
        shown = done.stdout + done.stderr
        assert said in shown
        assert cure in shown
        assert f"pipeline.yaml:4:{column}:" in shown
    assert [path.name for path in lab.data.iterdir()] == ["pipeline.yaml"]


@needs_modules
def test_modules_come_first_then_conda_then_uv(lab: Lab, modulefiles: Path) -> None:
    base = make_base(lab.root / "conda")
    make_environment(base / "envs" / "below", scripts={"a.sh": 'export SEEN="$CC_HOME"\n'})
    (lab.repo / ".env").write_text(f"CONDA_PATH={base}\n", encoding="utf-8")
    names = ("PATH", "LD_LIBRARY_PATH", "SEEN", "PYTHONPATH")
    script = lab.script("look.py", f"import os\nprint(*(os.environ.get(name) for name in {names}), sep='|')\n")
    keys = {"resources": {"modules": ["gcc/12", "python", "cuda"]}, "environment": "conda:below + uv:default"}
    pipeline = lab.pipeline([segment("Look", "python", str(script), **keys)])
    said = lab.run(pipeline, MODULEPATH=str(modulefiles)).stdout
    path, libraries, seen, pythonpath = next(text for text in said.splitlines() if "|" in text).split("|")
    folders = path.split(":")
    places = [f"{lab.repo}/.venvs/default/bin", f"{base}/envs/below/bin", "/opt/python/bin", "/opt/gcc12/bin"]
    places[0] = next(folder for folder in folders if folder.startswith(f"{lab.repo}/.venvs/"))
    assert [folders.index(place) for place in places] == sorted(folders.index(place) for place in places)
    assert libraries.split(":")[:2] == [f"{base}/envs/below/lib", "/opt/cuda/lib64"]
    assert (seen, pythonpath) == ("/opt/gcc 12 $HOME;", "None")
    (receipt,) = lab.receipts(pipeline)
    assert receipt["environment"]["modules"] == ["gcc/12", "python/3.99", "cuda/12.4"]
    assert receipt["environment"]["conda"]["name"] == "below"


@needs_modules
@pytest.mark.parametrize("environment", ["uv:default", "below", "script"])
def test_each_kind_stands_on_them_and_each_item_too(lab: Lab, modulefiles: Path, environment: str) -> None:
    base = make_base(lab.root / "conda")
    make_environment(base / "envs" / "below")
    (lab.repo / ".env").write_text(f"CONDA_PATH={base}\n", encoding="utf-8")
    text = "# /// script\n# dependencies = []\n# ///\nimport os, sys\n"
    script = lab.script(
        "look.py", text + "print(sys.argv[1] + '|' + os.environ['CC_HOME'] + '|' + str(os.environ.get('PYTHONPATH')))"
    )
    words = ("python", str(script))
    keys = {"environment": environment, "resources": {"modules": ["python", "gcc/12"]}}
    pipeline = lab.pipeline(
        [
            segment("One", *words, "one", **keys),
            segment("Many", *words, "%ITEM%", foreach=["a", "b"], canary=False, **keys),
        ]
    )
    said = lab.run(pipeline, MODULEPATH=str(modulefiles)).stdout
    assert "one|/opt/gcc 12 $HOME;|None" in said
    logs = [path.read_text(encoding="utf-8") for path in lab.runs(pipeline)[-1].glob("02-*/log-*.txt")]
    assert sorted("".join(logs).split("\n")) == ["", "a|/opt/gcc 12 $HOME;|None", "b|/opt/gcc 12 $HOME;|None"]


@needs_modules
def test_they_are_worked_out_once_a_run(lab: Lab, modulefiles: Path) -> None:
    told, counting = lab.root / "calls", lab.root / "modulecmd of mine"
    counting.write_text(f'#!/bin/sh\necho "$*" >> "{told}"\nexec "{SYSTEM}" "$@"\n', encoding="utf-8")
    counting.chmod(0o755)
    keys = {"resources": {"modules": ["gcc/12", "cuda"]}}
    pipeline = lab.pipeline([shell("One", SHOW, **keys), shell("Two", "echo %ITEM%", foreach=list("abcdef"), **keys)])
    lab.run(pipeline, MODULEPATH=str(modulefiles), MODULES_CMD=str(counting))
    assert told.read_text(encoding="utf-8") == "bash load gcc/12\nbash load cuda\n"


@needs_modules
def test_a_module_that_a_plan_names_is_shown_as_it_would_be_started(lab: Lab, modulefiles: Path) -> None:
    pipeline = lab.pipeline([shell("Show", "echo hi", resources={"modules": "gcc/12"})])
    assert "bash -c 'echo hi'" in lab.run(pipeline, "--dry-run", MODULEPATH=str(modulefiles)).stdout


def site(platform: str, **environ: str) -> Site:
    host = replace(this_host(interactive=False), platform=platform, environ=environ, which=lambda name: None)
    return Site(host, host.path("/repo"), {}, host.path("/repo/.venvs"))


def told(site: Site) -> Finding:
    spec = with_modules(parse_environment("cmd", "", "linux"), ["gcc"])
    (found,) = kind(spec).check(spec, ["echo"], site)
    return found


def test_on_windows_there_are_none_and_it_says_so() -> None:
    found = told(site("win32"))
    assert "Windows has no Environment Modules" in found.message
    assert found.key == "resources.modules.0"


def test_a_machine_without_a_modules_system_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules_system, "is_file", lambda path: False)
    found = told(site("linux", LMOD_CMD="/opt/lmod/libexec/lmod"))
    assert "neither Environment Modules nor Lmod" in found.message
    assert "Debian: environment-modules" in found.cure
    assert "/opt/lmod/libexec/lmod" in found.cure


LMOD = """\
#!/bin/sh
# a stand-in that answers as Lmod 8.7 did: it ends with 1 and prints `false` where it fails
case "$2 $3" in
"load gcc/12") echo 'LOADEDMODULES="gcc/12"; export LOADEDMODULES;'; echo 'CC_HOME="/opt/gcc 12"; export CC_HOME;' ;;
"load gcc/13") echo 'LOADEDMODULES="gcc/13"; export LOADEDMODULES;' ;;
"load swap")
  echo 'LOADEDMODULES="gcc/12:lib/2:swap"; export LOADEDMODULES;'
  printf 'The following have been reloaded with a version change:\\n  1) lib/1 => lib/2\\n' >&2 ;;
"load "*)
  printf 'Lmod has detected the following error: The following module(s) are unknown: "%s"\\n' "$3" >&2
  echo false; exit 1 ;;
esac
"""


@pytest.mark.skipif(sys.platform == "win32" or shutil.which("bash") is None, reason="bash is needed")
def test_lmod_is_used_where_it_is_and_what_it_says_is_told(lab: Lab) -> None:
    lmod = lab.root / "l mod"
    lmod.write_text(LMOD, encoding="utf-8")
    lmod.chmod(0o755)
    environ = {"LMOD_CMD": str(lmod), "MODULEPATH": "/x"}
    pipeline = lab.pipeline([shell("Show", SHOW, resources={"modules": ["gcc/12", "swap"]})])
    done = lab.run(pipeline, **environ)
    assert "</opt/gcc 12> <gcc/12:lib/2:swap>" in done.stdout
    assert "lib/1 => lib/2" in done.stdout + done.stderr
    done = lab.run(
        lab.pipeline([shell("Show", SHOW, resources={"modules": ["gcc/13", "gcc/12"]})]), "--force", check=3, **environ
    )
    assert "the module 'gcc/13' is unloaded again by those behind it: gcc/12 stay" in done.stderr
    done = lab.run(
        lab.pipeline([shell("Show", SHOW, resources={"modules": ["gcc/12", "gc"]})]), "--force", check=3, **environ
    )
    assert 'The following module(s) are unknown: "gc"' in done.stderr


@pytest.mark.parametrize(
    "written",
    ["gcc/12 cuda", "[gcc/12 cuda]", "[gcc/12, --force]", "[12]", "[true]", "{gcc: 12}", "['']", "3"],
)
def test_what_is_no_name_of_a_module_is_refused_where_it_stands(tmp_path: Path, written: str) -> None:
    text = f"run:\n- name: a\n  environment: cmd\n  resources: {{modules: {written}}}\n  commands: [echo]\n"
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text.encode(), tmp_path / "a.yaml")
    (one,) = caught.value.diagnostics
    assert "`modules` must be names of modules, without blanks in them" in one.message
    assert one.mark is not None
    assert one.mark.line == 4


@pytest.mark.parametrize("written", ["[gcc/12, cuda]", "gcc/12", "", "[1]", "\n  - gcc/12"])
def test_modules_beside_resources_are_refused_with_the_place_to_write_them(tmp_path: Path, written: str) -> None:
    text = f"run:\n- name: a\n  environment: cmd\n  modules: {written}\n  commands: [echo]\n"
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text.encode(), tmp_path / "a.yaml")
    (one,) = caught.value.diagnostics
    assert one.message == "`modules` belongs into `resources:` and has no effect here"
    assert "`resources: {modules: ...}`" in one.cure
    assert one.mark == Mark(4, 3, len("modules"))


@pytest.mark.parametrize("key", ["cpus", "memory", "gpus", "disk", "time", "queue", "account", "scheduler-options"])
def test_another_key_of_resources_at_the_wrong_place_is_a_warning_since_the_go_runner_took_it(
    tmp_path: Path, key: str
) -> None:
    text = f"run:\n- name: a\n  environment: cmd\n  {key}: 4\n  commands: [echo]\n"
    (one,) = parse_pipeline(text.encode(), tmp_path / "a.yaml").warnings
    assert one.message == f"`{key}` belongs into `resources:` and has no effect here"


def read(text: str, tmp_path: Path) -> Segment:
    (one,) = parse_pipeline(text.encode(), tmp_path / "a.yaml").segments
    return one


def test_modules_leave_the_hash_as_it_was(tmp_path: Path) -> None:
    plain = "run:\n- name: a\n  environment: cmd\n  commands: [echo]\n"
    one = read(plain + "  resources: {modules: [gcc/12, cuda]}\n", tmp_path)
    assert one.resources.modules == ("gcc/12", "cuda")
    assert one.content_hash == read(plain, tmp_path).content_hash
