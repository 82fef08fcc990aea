"""pipeline_configs/segment_er.yaml: its commands, run one after the other, end in the page."""

import re
import tomllib
from pathlib import Path

import yaml

from tests.programs.conftest import REPO

PIPELINE = REPO / "pipeline_configs" / "segment_er.yaml"
SEGMENTS = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["run"]


def words(segment, folder, **other):
    """The command line after `python`, with the tokens filled in and some values replaced."""
    for entry in segment["commands"][1:]:
        name, *value = [entry] if isinstance(entry, str) else next(iter(entry.items()))
        yield str(name).replace("%REPO%", str(REPO))
        if value:
            yield str(other.get(str(name).lstrip("-"), value[0])).replace("%YAML%", str(folder))


def test_the_conda_recipe_has_the_packages_of_the_group():
    group = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["segment_er"]
    recipe = yaml.safe_load((REPO / "conda_envs" / "segment_er.yml").read_text(encoding="utf-8"))
    assert recipe["name"] == "segment_er"
    assert [one for one in recipe["dependencies"] if not re.match(r"python\b", one)] == group


def test_the_commands_of_the_pipeline_give_every_output_and_name_the_page(er):
    assert {segment["environment"] for segment in SEGMENTS} == {"uv:segment_er"}
    folder = er.folder / "pipeline földer"
    for segment in SEGMENTS:
        script, *arguments = words(segment, folder, N=1, size=128)
        done = er.run(Path(script).stem, *arguments)
        for pattern in segment["outputs"]:
            outputs = list(folder.glob(pattern.removeprefix("%YAML%/")))
            assert outputs
            assert all(output.stat().st_size for output in outputs)
    assert f"Page: {outputs[0]}" in done.stdout.splitlines()
    text = outputs[0].read_text(encoding="utf-8")
    assert text.count("<img") == 4 * 4
    assert "Measures of the network" in text
