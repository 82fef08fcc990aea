"""Every example in the documentation works, and every command in it exists."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
import yaml

from runner.cli.main import COMMANDS, cli
from runner.errors import PipelineError
from runner.pipeline.reader import parse_pipeline
from tests.docs.pages import REPO, Block, blocks, commands

WRAPPED = {
    "": "{text}",
    "segments": "run:\n{text}",
    "keys": "run:\n- name: example\n  environment: cmd\n{indented}",
    "wrong": "{text}",
}


def whole(block: Block) -> str:
    """The block as a pipeline file; its note says what it is a part of."""
    keys = "".join("  " + line + "\n" for line in block.text.splitlines())
    text = WRAPPED[block.note].format(text=block.text, indented=keys)
    return text if block.note != "keys" or "  commands:" in keys else text + "  commands: [echo]\n"


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_an_example_of_a_pipeline_is_read_without_a_remark(block: Block, tmp_path: Path) -> None:
    if block.note == "wrong":
        with pytest.raises(PipelineError):
            parse_pipeline(whole(block).encode(), tmp_path / "example.yaml")
        return
    pipeline = parse_pipeline(whole(block).encode(), tmp_path / "example.yaml")
    messages = [warning.message for warning in pipeline.warnings]
    assert not messages or block.text.rstrip().endswith("run: []"), messages


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_an_example_names_groups_and_programs_that_the_repository_has(block: Block) -> None:
    import tomllib

    groups = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    if block.note == "wrong":
        return
    for segment in yaml.safe_load(whole(block))["run"]:
        environment = segment.get("environment", "").rpartition(" + ")[2]
        assert not environment.startswith("uv:") or environment.removeprefix("uv:") in groups
        for word in segment.get("commands", []):
            if isinstance(word, str) and word.startswith("%REPO%/standard_code/python/"):
                assert (REPO / word.removeprefix("%REPO%/")).is_file(), word


@pytest.mark.parametrize(("where", "line"), [pytest.param(w, c, id=f"{w} {c}") for w, c in commands()])
def test_a_command_line_in_the_docs_is_understood(where: str, line: str) -> None:
    words = shlex.split(line.replace("\\", "/"))
    if "--version" in words or not words or words == ["…"]:
        return
    if words[0] not in COMMANDS:
        words = ["run", *words]
    command: click.Command | None = cli
    while isinstance(command, click.Group) and words:
        if words[0].startswith("-"):  # an option of the group itself
            command.make_context("run-pipeline", list(words))
            return
        command, words = command.get_command(click.Context(command), words[0]), words[1:]
        assert command is not None, where
    if isinstance(command, click.Group):
        return
    try:
        command.make_context("run-pipeline", list(words))
    except click.MissingParameter:  # a command that is only named, or a shortcut that gets its file later
        missing = [p.type for p in command.params if isinstance(p, click.Argument) and p.required]
        named = [kind.choices[0] if isinstance(kind, click.Choice) else "pipeline.yaml" for kind in missing]
        command.make_context("run-pipeline", [*words, *named])


def test_a_message_that_the_docs_quote_is_what_the_runner_says() -> None:
    wrong = next(block for block in blocks("yaml") if block.note == "wrong")
    said = next(b.text for b in blocks("text") if b.page == wrong.page and b.line > wrong.line)
    from runner.pipeline.diagnostics import render

    with pytest.raises(PipelineError) as caught:
        parse_pipeline(wrong.text.encode(), REPO / "broken.yaml")
    shown = [line for one in caught.value.diagnostics for line in render(one)]
    assert said.splitlines() == [*shown, f"error: {caught.value.message}"]
