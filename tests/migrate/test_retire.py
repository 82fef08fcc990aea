"""What `migrate --retire` removes, and that it removes nothing that somebody needs."""

from __future__ import annotations

import codecs
import json
import os
import stat
from pathlib import Path

import pytest

from runner.migrate.pipelines import plan_twins, write_twins
from runner.migrate.retire import plan_retirement
from runner.pipeline.reader import read_pipeline
from runner.state.locks import LockFile
from tests.migrate.places import Place
from tests.migrate.test_twins import sign, write

SIMPLE = "run:\n- name: größe\n  environment: cells\n  commands: [python, a.py]\n"
FORMS = {
    "a byte-order mark": codecs.BOM_UTF8 + SIMPLE.encode(),
    "UTF-16, little end first": codecs.BOM_UTF16_LE + SIMPLE.replace("\n", "\r\n").encode("utf-16-le"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + SIMPLE.encode("utf-16-be"),
    "run in double quotes": SIMPLE.replace("run:", '"run":').encode(),
    "run in single quotes": SIMPLE.replace("run:", "'run' :").encode(),
    "run as a complex key": b"? run\n: - {name: a, environment: cells, commands: [x]}\n",
    "run as an escape": SIMPLE.replace("run:", r'"\x72un":').encode(),
    "flow style": b"{run: [{name: a, environment: cells, commands: [x]}]}\n",
    "JSON": b'{"run": [{"name": "a", "environment": "cells", "commands": ["x"]}]}',
    "an anchor": b"run: &all\n- &first\n  name: a\n  environment: &e cells\n  commands: [x]\n",
    "a tag": b"!!map\nrun: !!seq\n- name: a\n  environment: !!str cells\n  commands: [x]\n",
    "a document's start": b"%YAML 1.1\n---\n" + SIMPLE.encode(),
    "indented": "".join(f"  {line}\n" for line in SIMPLE.splitlines()).encode(),
    "ends of old Macs": SIMPLE.replace("\n", "\r").encode(),
    "the environment's folder": SIMPLE.replace("cells", "'D:\\envs\\Cells\\'").encode(),
    "a folder in the repository": SIMPLE.replace("cells", "'%REPO%/envs/cells'").encode(),
    "other case": SIMPLE.replace("cells", "CELLS").encode(),
    "a prefix": SIMPLE.replace("cells", "'conda: cells'").encode(),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_a_pipeline_in_any_form_holds_its_recipe_and_gets_its_twin(tmp_path: Path, data: bytes) -> None:
    place = Place(tmp_path, tmp_path)
    recipe = _repository(place)
    path = place.repo / "pipeline_configs" / "job.yaml"
    path.write_bytes(data)
    found = plan_retirement("cells", place.repo, [], place.repo)
    assert [text for text in found.obstacles if "job.yaml" in text and "no twin" in text], found
    (target,) = write_twins(plan_twins([path], ["cells"], "g"))
    assert [one.environment for one in read_pipeline(target).segments] == ["uv:g"]
    sign(place.repo, path, target)
    found = plan_retirement("cells", place.repo, [], place.repo)
    assert (found.obstacles, found.files) == ([], [path, recipe])


@pytest.mark.parametrize(
    ("mark", "encoding", "ends"),
    [
        (codecs.BOM_UTF8, "utf-8", "\r\n"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "\r\n"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "\n"),
        (b"", "utf-8", "\n"),
    ],
)
def test_a_twin_keeps_encoding_mark_and_ends_of_lines(tmp_path: Path, mark: bytes, encoding: str, ends: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(mark + SIMPLE.replace("\n", ends).encode(encoding))
    (target,) = write_twins(plan_twins([path], ["cells"], "g"))
    wanted = SIMPLE.replace("environment: cells", "environment: uv:g").replace("\n", ends)
    assert target.read_bytes() == mark + wanted.encode(encoding)


def _repository(place: Place) -> Path:
    """conda_envs/cells.yml, for tests that need no uv."""
    for folder in ("conda_envs", "pipeline_configs"):
        (place.repo / folder).mkdir(parents=True)
    return place.recipe("- grid")


@pytest.fixture
def bare(tmp_path: Path) -> Place:
    place = Place(tmp_path, tmp_path)
    _repository(place)
    return place


def obstacles(place: Place, *others: str, **options: object) -> str:
    found = plan_retirement("cells", place.repo, others, place.repo, **options)  # type: ignore[arg-type]
    return "\n".join(found.obstacles)


@pytest.mark.parametrize(
    "data",
    [
        SIMPLE.encode("utf-16-le"),
        SIMPLE.encode("latin-1"),
        b"run:\n- name: a\n\tenvironment: cells\n",
        b"run: [cells\n",
        b"run:\n- name: a\n  environment: [cells]\n  commands: [x]\n",
    ],
)
def test_a_file_that_cannot_be_read_stops_a_retirement_by_name(bare: Place, data: bytes) -> None:
    for folder in ("pipeline_configs", "projects/old"):
        path = bare.repo / folder / "job.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        assert f"{folder}/job.yml cannot be read" in obstacles(bare)
        path.unlink()
    assert obstacles(bare) == ""


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is unreadable here")
def test_a_file_or_folder_without_permission_to_read_stops_a_retirement(bare: Place) -> None:
    path = write(bare.repo / "projects", SIMPLE, "job.yaml")
    path.chmod(0)
    assert "projects/job.yaml cannot be read" in obstacles(bare)
    path.parent.chmod(0)
    assert "projects" in obstacles(bare)
    path.parent.chmod(0o700)


def test_a_broken_file_elsewhere_that_does_not_name_the_environment_is_no_obstacle(bare: Place) -> None:
    write(bare.repo / "recipe", "{% set name = 'tool' %}\nrequirements:\n  run: [{{ name }}]\n", "meta.yaml")
    assert obstacles(bare) == ""


@pytest.mark.parametrize("folder", ["projects/2024", ".old", "conda_envs", "pipeline_configs/.hidden"])
def test_a_pipeline_anywhere_in_the_repository_holds_the_recipe(bare: Place, folder: str) -> None:
    write(bare.repo / folder, SIMPLE, "Job.YAML")
    assert f"{folder}/Job.YAML runs in conda too" in obstacles(bare)
    assert "has no twin Job_uv.YAML" in obstacles(bare, folder) or folder.startswith((".", "pipeline_configs"))


@pytest.mark.parametrize(
    "folder",
    [".run-pipeline/job.yaml/000001-x", "records/job.yaml-1a/000001-x", ".git/x", "envs/e/share", ".venv/share"],
)
def test_copies_that_runs_keep_and_files_of_environments_are_no_pipelines_of_the_lab(bare: Place, folder: str) -> None:
    path = write(bare.repo / folder, SIMPLE, "pipeline.yaml")
    if "000001" in folder:
        (path.parent / "run.json").write_text("{}")
    (bare.repo / "envs" / "e" / "conda-meta").mkdir(parents=True)
    (bare.repo / ".venv").mkdir(exist_ok=True)
    (bare.repo / ".venv" / "pyvenv.cfg").touch()
    assert obstacles(bare) == ""


@pytest.mark.parametrize(
    "command",
    [
        "[conda, run, -n, cells, python, a.py]",
        "['mamba run --name=Cells python a.py']",
        "['D:\\miniforge3\\envs\\cells\\python.exe', a.py]",
        "[call, activate, cells]",
        "[micromamba, run: null, -p: /opt/envs/cells, python: a.py]",
    ],
)
def test_a_segment_that_calls_the_environment_by_itself_holds_the_recipe(bare: Place, command: str) -> None:
    text = f"run:\n- name: a\n  environment: cmd\n  commands: {command}\n"
    write(bare.repo / "pipeline_configs", text, "job.yaml")
    assert "segment 1 calls it by itself" in obstacles(bare)


def test_the_word_of_the_environment_in_other_arguments_is_no_call_of_it(bare: Place) -> None:
    text = "run:\n- {name: cells, environment: uv:g, commands: [python, a.py, -n, cells, --name: cells, cells]}\n"
    write(bare.repo / "pipeline_configs", text, "job.yaml")
    assert obstacles(bare) == ""


def test_an_environment_named_by_a_token_is_the_one_that_the_token_stands_for(bare: Place) -> None:
    path = write(bare.repo / "pipeline_configs", SIMPLE.replace("cells", "'%CELL_ENV%'"), "job.yaml")
    assert "which .env does not tell here" in obstacles(bare)
    dotenv = {"CELL_ENV": "D:/envs/cells"}
    assert "has no twin" in obstacles(bare, dotenv=dotenv)
    write_twins(plan_twins([path], ["cells"], "g", dotenv))
    assert "environment: 'uv:g'" in path.with_name("job_uv.yaml").read_text(encoding="utf-8")
    assert obstacles(bare, dotenv={"CELL_ENV": "other"}) == ""


@pytest.mark.parametrize("environment", ["conda:cells + uv:g", "cells + script"])
def test_a_uv_segment_that_stands_on_the_environment_holds_the_recipe_and_is_not_rewritten(
    bare: Place, environment: str
) -> None:
    path = bare.repo / "pipeline_configs" / "job.yaml"
    path.write_text(SIMPLE.replace("cells", environment), encoding="utf-8")
    assert any("job.yaml" in text for text in plan_retirement("cells", bare.repo, [], bare.repo).obstacles)
    assert plan_twins([path], ["cells"], "g") == []


def test_all_names_of_the_environment_are_looked_for(bare: Place) -> None:
    path = bare.repo / "conda_envs" / "cells.yml"
    path.write_text("name: cells-gpu\ndependencies: [grid]\nprefix: C:\\conda\\envs\\segmenting\n", encoding="utf-8")
    for name in ("cells", "Cells-GPU", "segmenting", "other"):
        write(bare.repo / "pipeline_configs", SIMPLE.replace("cells", name), f"{name}.yaml")
    found = obstacles(bare)
    assert found.count("has no twin") == 3
    assert "other.yaml" in obstacles(bare, names=["other"])


def test_a_file_that_names_the_recipe_or_a_pipeline_that_would_go_holds_both(bare: Place) -> None:
    path = write(bare.repo / ".github" / "workflows", "on: push\nenv: {FILE: conda_envs/cells.yml}\n", "ci.yml")
    assert ".github/workflows/ci.yml names cells.yml" in obstacles(bare)
    path.write_text("on: push  # not cells.yml\nenv: {FILE: my_cells.yml, other: cells.yml.old}\n", encoding="utf-8")
    assert "my_cells" not in obstacles(bare)
    job = write(bare.repo / "pipeline_configs", SIMPLE, "job.yaml")
    (twin,) = write_twins(plan_twins([job], ["cells"], "g"))
    sign(bare.repo, job, twin)
    text = "run:\n- {name: all, environment: cmd, commands: [run-pipeline, '%YAML%/job.yaml']}\n"
    write(job.parent, text, "all.yaml")
    assert "pipeline_configs/all.yaml names job.yaml" in obstacles(bare)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_script_or_shortcut_that_starts_a_pipeline_or_makes_the_environment_holds_both(
    bare: Place, encoding: str
) -> None:
    path = bare.repo / "start cells.bat"
    path.write_bytes("conda env create -f conda_envs\\CELLS.yml\r\n".encode(encoding))
    assert "start cells.bat names cells.yml" in obstacles(bare)


SCRIPTS = {
    "Dockerfile": "FROM x\nCOPY conda_envs/cells.yml /tmp/\n",
    "Dockerfile.gpu": "RUN mamba env create -f /tmp/cells.yml\n",
    "cells.def": "%files\n    conda_envs/cells.yml /opt/cells.yml\n",
    "Makefile": "env:\n\tconda env update --file conda_envs/cells.yml --prune\n",
    "Snakefile": 'rule a:\n    conda: "conda_envs/cells.yml"\n',
    "rules/seg.smk": 'rule a:\n    conda: "../conda_envs/cells.yml"\n',
    "main.nf": 'process a {\n  conda "$projectDir/conda_envs/cells.yml"\n}\n',
    "job.slurm": "#SBATCH -p gpu\nsource activate cells\npython a.py\n",
    "run.sh": "conda run --no-capture-output -n cells python a.py\n",
    "start.py": 'subprocess.run(["conda", "run", "-n", "cells", "python", "a.py"])\n',
    "all.ipynb": '{"cells": [{"source": ["!run-pipeline pipeline_configs/cells.yml\\n"]}]}',
    ".vscode/tasks.json": '{"command": "D:\\\\envs\\\\cells\\\\python.exe a.py"}',
    ".env": "RECIPE=conda_envs/cells.yml\n",
    "Start.desktop": "Exec=conda run -p /opt/envs/cells python a.py\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_whatever_makes_the_environment_or_starts_something_in_it_holds_the_recipe(bare: Place, name: str) -> None:
    path = bare.repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPTS[name], encoding="utf-8")
    assert f"{name} " in obstacles(bare)


def test_text_for_people_and_other_environments_hold_no_recipe(bare: Place) -> None:
    (bare.repo / "README.md").write_text("conda env create -f conda_envs/cells.yml\n", encoding="utf-8")
    (bare.repo / "run.sh").write_text("conda run -n cells2 python a.py cells\nls other-cells.yml\n", encoding="utf-8")
    assert obstacles(bare) == ""


def test_a_pipeline_beside_its_data_that_was_once_signed_holds_the_recipe(bare: Place, tmp_path: Path) -> None:
    path = write(tmp_path / "data", SIMPLE, "job.yaml")
    (bare.repo / "sign_offs").mkdir()
    (bare.repo / "sign_offs" / "x.json").write_text(json.dumps({"pipelines": [str(path), 3, "gone.yaml"]}))
    assert f"{path} runs in conda too" in obstacles(bare)
    assert "has no twin" in obstacles(bare, str(path))


def test_a_twin_that_cannot_be_read_or_run_holds_everything_back(bare: Place) -> None:
    path = write(bare.repo / "pipeline_configs", SIMPLE, "job.yaml")
    twin = write(path.parent, "run: [\n", "job_uv.yaml")
    assert "job_uv.yaml, the twin of pipeline_configs/job.yaml, cannot be run" in obstacles(bare)
    twin.write_text("runs: []\n", encoding="utf-8")
    assert "it has no `run:`" in obstacles(bare)


def test_a_pipeline_that_is_being_run_is_not_retired(bare: Place) -> None:
    path = write(bare.repo / "pipeline_configs", SIMPLE, "job.yaml")
    sign(bare.repo, path, write_twins(plan_twins([path], ["cells"], "g"))[0])
    assert obstacles(bare) == ""
    with LockFile(path.with_name("job_status.yaml.lock"), "test").acquire(0):
        assert "is being run" in obstacles(bare)


def test_the_real_status_file_goes_and_its_namesake_stays(place: Place) -> None:
    """Of job.yml it is job_status.yaml; a file job_status.yml is somebody's own."""
    recipe = place.recipe("- grid")
    path = write(place.repo / "pipeline_configs", SIMPLE, "job.yml")
    (twin,) = write_twins(plan_twins([path], ["cells"], "g"))
    sign(place.repo, path, twin)
    status = write(path.parent, "segments: []\n", "job_status.yaml")
    own = write(path.parent, "segments: []\n", "job_status.yml")
    (record,) = place.records("--retire", "cells", "--dry-run")
    assert record["files"] == [str(status), str(path), str(recipe)]
    shown = place.migrate("--retire", "cells", "--yes")
    assert [line.split(maxsplit=2)[2] for line in shown.splitlines() if "to remove" in line] == record["files"]
    assert "Removed 3 files" in shown
    assert not any(one.exists() for one in (status, path, recipe))
    assert own.exists()
    assert twin.exists()


@pytest.mark.parametrize(
    "text", ["notes: mine\n", "segments: []\nrun: []\n", "run:\n- {type: pause}\n", "a: [\n", "segments: {a: 1}\n"]
)
def test_a_file_in_the_place_of_a_status_file_that_is_none_stays(bare: Place, text: str) -> None:
    path = write(bare.repo / "pipeline_configs", SIMPLE, "job.yaml")
    sign(bare.repo, path, write_twins(plan_twins([path], ["cells"], "g"))[0])
    write(path.parent, text, "job_status.yaml")
    found = plan_retirement("cells", bare.repo, [], bare.repo)
    assert found.statuses == []
    assert found.left[0].startswith("pipeline_configs/job_status.yaml: no status file")


def test_a_status_file_that_another_pipeline_reads_too_stays(bare: Place) -> None:
    path = write(bare.repo / "pipeline_configs", SIMPLE, "job.yaml")
    sign(bare.repo, path, write_twins(plan_twins([path], ["cells"], "g"))[0])
    status = write(path.parent, "segments: []\n", "job_status.yaml")
    write(path.parent, SIMPLE.replace("cells", "uv:g"), "job.yml")
    found = plan_retirement("cells", bare.repo, [], bare.repo)
    assert (found.statuses, found.left) == ([], ["pipeline_configs/job_status.yaml: the status file of job.yml too"])
    write(path.parent, "segments: []\n", "job.yml_status.yaml")
    assert plan_retirement("cells", bare.repo, [], bare.repo).statuses == [status]


links = pytest.mark.skipif(os.name == "nt", reason="links need a right that users of Windows lack")


@links
def test_a_link_in_the_place_of_a_status_file_stays_and_so_does_its_target(bare: Place, tmp_path: Path) -> None:
    path = write(bare.repo / "pipeline_configs", SIMPLE, "job.yaml")
    sign(bare.repo, path, write_twins(plan_twins([path], ["cells"], "g"))[0])
    target = write(tmp_path, "segments: []\n", "mine.yaml")
    path.with_name("job_status.yaml").symlink_to(target)
    found = plan_retirement("cells", bare.repo, [], bare.repo)
    assert found.statuses == []
    assert "a link or a folder" in found.left[0]


@links
@pytest.mark.parametrize("which", ["file", "folder", "pipeline_configs", "recipe"])
def test_no_link_is_followed_to_remove_something(bare: Place, tmp_path: Path, which: str) -> None:
    elsewhere, own = tmp_path / "elsewhere", bare.repo / "pipeline_configs"
    path = write(elsewhere, SIMPLE, "job.yaml")
    (twin,) = write_twins(plan_twins([path], ["cells"], "g"))
    match which:
        case "file":
            for one in (path, twin):
                (own / one.name).symlink_to(one)
            path, twin = own / path.name, own / twin.name
        case "folder":
            (own / "sub").symlink_to(elsewhere)
            (elsewhere / "round").symlink_to(own)
            path, twin = own / "sub" / path.name, own / "sub" / twin.name
        case "pipeline_configs":
            own.rmdir()
            own.symlink_to(elsewhere)
            path, twin = own / path.name, own / twin.name
        case "recipe":
            recipe = bare.repo / "conda_envs" / "cells.yml"
            recipe.rename(elsewhere / "cells.yml")
            recipe.symlink_to(elsewhere / "cells.yml")
    if which != "recipe":
        sign(bare.repo, path, twin)
    assert "is a link, and a retirement follows none" in obstacles(bare)


def test_a_file_that_is_given_in_two_ways_is_listed_once(bare: Place) -> None:
    path = write(bare.repo / "pipeline_configs", SIMPLE, "job.yaml")
    sign(bare.repo, path, write_twins(plan_twins([path], ["cells"], "g"))[0])
    others = [str(path), "pipeline_configs/../pipeline_configs/job.yaml", "pipeline_configs/*.yaml"]
    found = plan_retirement("cells", bare.repo, others, bare.repo)
    assert (found.obstacles, len(found.pipelines)) == ([], 1)


def test_a_file_that_cannot_be_removed_is_said_and_the_recipe_stays(place: Place) -> None:
    recipe = place.recipe("- grid")
    path = write(place.repo / "pipeline_configs", SIMPLE, "job.yaml")
    sign(place.repo, path, write_twins(plan_twins([path], ["cells"], "g"))[0])
    path.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        if os.access(path.parent, os.W_OK):
            pytest.skip("this user may write everywhere")
        said = place.migrate("--retire", "cells", "--yes", code=4)
    finally:
        path.parent.chmod(0o700)
    assert f"cannot remove {path}" in said
    assert path.exists()
    assert recipe.exists()


def test_a_recipe_that_cannot_be_read_is_named_instead_of_said_to_be_missing(place: Place) -> None:
    (place.repo / "conda_envs" / "cells.yml").write_text("dependencies: [\n", encoding="utf-8")
    assert "cells.yml is no valid YAML" in place.migrate("--retire", "cells", "--yes", code=2)


@links
@pytest.mark.parametrize("folder", ["pipeline_configs", "projects"])
def test_a_link_that_leads_nowhere_stops_a_retirement_by_name(bare: Place, folder: str) -> None:
    (bare.repo / folder).mkdir(exist_ok=True)
    (bare.repo / folder / "job.yaml").symlink_to(bare.root / "share that is off" / "job.yaml")
    assert f"{folder}/job.yaml cannot be read" in obstacles(bare)


def test_an_umlaut_in_a_name_is_the_same_however_it_is_composed(bare: Place) -> None:
    (bare.repo / "conda_envs" / "cells.yml").write_text(
        "name: zellz\u00e4hler\ndependencies: [grid]\n", encoding="utf-8"
    )
    write(bare.repo / "pipeline_configs", SIMPLE.replace("cells", "Zellza\u0308hler"), "job.yaml")
    assert "has no twin" in obstacles(bare)
    write(bare.repo / "old", "run: [\n# zellza\u0308hler\n", "job.yaml")
    assert "old/job.yaml cannot be read" in obstacles(bare)


def test_a_twin_of_utf_16_is_written_by_the_command_too(place: Place) -> None:
    path = place.repo / "pipeline_configs" / "job.yaml"
    path.write_bytes(SIMPLE.encode("utf-16"))
    place.migrate(place.recipe("- grid"), "--yes", "--pipelines", path)
    assert path.with_name("job_uv.yaml").read_bytes() == SIMPLE.replace(
        "environment: cells", "environment: uv:cells"
    ).encode("utf-16")


def test_a_twin_that_appeared_since_the_plan_was_made_is_not_written_over(tmp_path: Path) -> None:
    twins = plan_twins([write(tmp_path, SIMPLE, "job.yaml")], ["cells"], "g")
    own = write(tmp_path, "run: []\n", "job_uv.yaml")
    assert write_twins(twins) == []
    assert own.read_text(encoding="utf-8") == "run: []\n"


def test_a_page_of_a_migration_replaces_an_earlier_one_and_nothing_else(place: Place) -> None:
    recipe = place.recipe("- grid")
    target = write(place.root, "my notes\n", "notes.md")
    assert "is no page of a migration" in place.migrate(recipe, "--dry-run", "--report", target, code=2)
    python = place.recipe("- python=2.7", name="old")
    place.migrate(python, "--dry-run", "--report", target, code=2)
    assert target.read_text(encoding="utf-8") == "my notes\n"
    page = place.root / "page.md"
    for _ in range(2):
        place.migrate(recipe, "--dry-run", "--report", page)
    assert "| grid |" in page.read_text(encoding="utf-8").replace("`", "")


def test_migrating_names_a_file_of_the_folder_that_cannot_be_read(place: Place) -> None:
    path = place.repo / "pipeline_configs" / "job.yaml"
    path.write_bytes(SIMPLE.encode("utf-16-le"))
    before = place.pyproject
    said = place.migrate(place.recipe("- grid"), "--yes", "--pipelines", path.parent, code=2)
    assert "job.yaml" in said
    assert place.pyproject == before


def test_in_this_repository_only_the_missing_signature_stands_against_a_retirement() -> None:
    """The examples of the tests, some of them broken or in that environment, do not."""
    repo = Path(__file__).resolve().parents[2]
    found = plan_retirement("segment_ernet", repo, [], repo)
    assert all("nobody has signed" in text for text in found.obstacles), found.obstacles
