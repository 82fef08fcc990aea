"""The pilot's pipelines, its conda recipe and the check of CUDA."""

import re
import subprocess
import tomllib

import pytest
import yaml

from tests.programs.conftest import REPO

PIPELINES = REPO / "pipeline_configs"
GROUP = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["segment_ernet"]


def segments(name):
    return yaml.safe_load((PIPELINES / name).read_text(encoding="utf-8"))["run"]


def test_both_pipelines_do_the_same_in_their_own_environment_and_folder():
    def neutral(name, environment, folder):
        assert {one["environment"] for one in segments(name)} == {environment}
        return str([(one["name"], one["commands"], one["outputs"]) for one in segments(name)]).replace(folder, "OUT")

    by_uv = neutral("segment_ernet_uv.yaml", "uv:segment_ernet", "output_segment_ernet_uv/")
    assert by_uv == neutral("segment_ernet.yaml", "ernet-gpu", "output_segment_ernet/")


def test_the_conda_recipe_has_the_packages_of_the_group_and_the_name_that_the_pipeline_asks_for():
    recipe = yaml.safe_load((REPO / "conda_envs" / "segment_ernet.yml").read_text(encoding="utf-8"))
    assert recipe["name"] == "ernet-gpu"
    (by_pip,) = [entry["pip"] for entry in recipe["dependencies"] if isinstance(entry, dict)]
    by_conda = [entry for entry in recipe["dependencies"] if isinstance(entry, str)]
    found = {line for line in by_conda + by_pip if not re.match(r"(python=|pip$|--)", line)}
    assert found == {line.split(" ;")[0] for line in GROUP if "== 'darwin'" not in line}


def test_cuda_that_is_asked_for_and_not_there_is_an_error_with_its_reason(pytorch):
    done = check(pytorch, "--device", "cuda")
    assert done.returncode == 1
    assert "PyTorch 2.13.0+cpu, built without CUDA" in done.stdout
    assert "error: CUDA was asked for and cannot be used: this PyTorch (2.13.0+cpu) was built without" in done.stderr


def test_the_check_computes_on_the_processor_where_that_is_asked_for(pytorch):
    done = check(pytorch, "--device", "cpu")
    assert done.returncode == 0
    assert "Its result is right" in done.stdout


def test_the_check_says_which_environment_has_pytorch_where_this_one_has_none(onnx):
    done = check(onnx)
    assert (done.returncode, "uv:segment_ernet" in done.stderr) == (1, True)


def check(engine, *words):
    command = [engine.python, REPO / "standard_code" / "python" / "check_cuda.py", *words]
    return subprocess.run(command, env=engine.environ(), capture_output=True, encoding="utf-8", timeout=120)


@pytest.mark.parametrize("weights", ["official", "default"])
def test_the_pilot_runs_from_its_synthetic_images_to_the_comparison(pytorch, tmp_path, weights):
    """Each segment's command as it stands in the pipeline, on smaller images; PyTorch is that for the CPU."""
    folder = tmp_path / "pipeline földer"
    pytorch.ask("checkpoints_in", tmp_path)
    for segment in segments("segment_ernet_uv.yaml"):
        words = []
        for entry in segment["commands"][1:]:
            for word in [entry] if isinstance(entry, str) else next(iter(entry.items())):
                words.append(str(word).replace("%REPO%", str(REPO)).replace("%YAML%", str(folder)))
        if "generate" in words[0]:
            words += ["--N", "1", "--size", "128"]
        if "_segment_ernet" in words[0] and weights == "official":
            words += ["--weights", str(tmp_path / "official.pth")]
        done = subprocess.run(
            [pytorch.python, *words], env=pytorch.environ(), capture_output=True, encoding="utf-8", timeout=300
        )
        assert done.returncode == 0, done.stderr
        for pattern in segment["outputs"]:
            found = list(folder.glob(pattern.removeprefix("%YAML%/")))
            assert found, pattern
            assert all(path.stat().st_size for path in found)
