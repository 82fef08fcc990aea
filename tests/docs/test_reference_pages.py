"""The reference pages say what the code says: options, keys, exit codes, variables, messages."""

from __future__ import annotations

import ast
import json
import re
from functools import cache

import click
import pytest

from runner.cli.main import COMMANDS, cli
from runner.errors import ExitCode
from runner.pipeline.remarks import KEYS
from tests.docs.pages import PAGES, REPO, rows, spans, text_of

DOCS = REPO / "docs"
_GAP = "\0"  # in a text of the code: what is filled in


def leaves() -> list[tuple[str, click.Command]]:
    """Every command that does something, with its full name."""
    found = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        if isinstance(command, click.Group):
            found += [(f"run-pipeline {name} {sub}", one) for sub, one in command.commands.items() if not one.hidden]
        else:
            found.append((f"run-pipeline {name}", command))
    return found


def test_the_troubleshooting_page_has_every_failure_of_uv() -> None:
    from runner.environments.uv.failures import FAILURES

    page = " ".join(row[0] for row in rows(DOCS / "troubleshooting.md")).replace("`", "")
    for failure in FAILURES:
        longest = max(re.split(r"\{\w+\}|[(`:,]", failure.message), key=len)
        assert longest.strip() in page, failure.message


def sections() -> set[str]:
    return set(re.findall(r"^## `(run-pipeline .*)`$", text_of(DOCS / "command-line.md"), re.MULTILINE))


@pytest.mark.parametrize(("name", "command"), leaves(), ids=[name for name, _ in leaves()])
def test_the_command_line_page_names_exactly_the_options_of_a_command(name: str, command: click.Command) -> None:
    options = [p for p in command.params if isinstance(p, click.Option)]
    wanted = {text for option in options for text in (*option.opts, *option.secondary_opts)}
    others = [text_of(page) for page in PAGES if page.name != "command-line.md" and name in text_of(page)]
    if name not in sections() and others:  # a page of its own
        assert wanted <= set(re.findall(r"(?<!\w)-{1,2}[a-z][\w-]*", "".join(others)))
        return
    shown = {span.split(" ")[0] for row in rows(DOCS / "command-line.md", f"## `{name}`") for span in spans(row[0])}
    assert shown == wanted


def test_the_command_line_page_has_sections_for_commands_that_exist() -> None:
    assert sections() <= {name for name, _ in leaves()}


def test_the_pipeline_reference_names_exactly_the_keys_of_the_schema() -> None:
    schema = json.loads((REPO / "runner/schema/pipeline.schema.json").read_text(encoding="utf-8"))
    page = DOCS / "pipeline-file.md"
    assert [row[0].strip("`") for row in rows(page, "## Top of the file")] == list(schema["properties"])
    keys = [row[0].strip("`") for row in rows(page, "## Keys of a segment")]
    assert keys == list(schema["$defs"]["segment"]["properties"])
    assert sorted(keys) == sorted(KEYS)


@pytest.mark.parametrize("row", rows(DOCS / "pipeline-file.md", "## Keys of a segment"), ids=lambda row: row[0])
def test_the_pipeline_reference_says_rightly_which_keys_are_in_the_hash(row: list[str]) -> None:
    from runner.pipeline.reader import parse_pipeline

    values = {
        "type": "normal",
        "env": "{A: b}",
        "commands": "[b]",
        "timeout": "3",
        "retries": "1",
        "keep-going": "true",
        "outputs-may-be-old": "true",
        "retry-delay": "3",
        "needs": "[]",
        "resources": "{cpus: 2}",
        "retry-memory": "x2\n  retries: 1\n  resources: {memory: 1 GB}",
        "foreach": "{range: 3}",
        "matrix": "{b: [1]}",
    }
    with_items = dict.fromkeys(("batch", "max-failures", "identity", "canary"), "\n  foreach: {range: 3}")
    values |= {"batch": "1", "max-failures": "5%", "identity": "content", "canary": "true"}
    key = row[0].strip("`")
    without = "run:\n- " + ("name: x" if key == "commands" else "commands: [a]") + "\n"
    path = REPO / "example.yaml"
    changed = parse_pipeline(f"{without}  {key}: {values.get(key, 'b')}{with_items.get(key, '')}\n".encode(), path)
    base = without + ("  commands: [a]\n" if key == "commands" else "")
    same = parse_pipeline(base.encode(), path).segments[0].content_hash == changed.segments[0].content_hash
    assert row[2] == ("no" if same else "yes")


def test_the_exit_code_table_is_that_of_the_code() -> None:
    table = [(int(row[0]), row[1].strip("`")) for row in rows(DOCS / "exit-codes.md")]
    assert table == [(int(code), code.name) for code in ExitCode]


def test_the_docs_and_the_code_name_the_same_variables() -> None:
    pattern = re.compile(r"RUN_PIPELINE_[A-Z][A-Z_]*")
    code = "".join(path.read_text(encoding="utf-8") for path in (REPO / "runner").rglob("*.py"))
    docs = "".join(map(text_of, PAGES))
    assert set(pattern.findall(docs)) == set(pattern.findall(code))
    table = {span for row in rows(DOCS / "command-line.md", "## Variables") for span in spans(row[0])}
    for name in table:
        assert name in code, name


@cache
def strings() -> str:
    """Every text in the runner's code, blanks made one; what is filled in becomes a gap."""
    found = []
    for path in (REPO / "runner").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append("".join(v.value if isinstance(v, ast.Constant) else _GAP for v in node.values))
    return re.sub(r"\s+", " ", "\n".join(found))


def quoted_messages() -> list[str]:
    """The pieces of messages in the tables of the troubleshooting page."""
    cells = [row[0] for row in rows(DOCS / "troubleshooting.md")]
    pieces = [p.strip() for cell in cells for p in re.split(r"…|;| \([^)]*\)", cell)]
    return sorted({piece for piece in pieces if len(piece) > 3})


@pytest.mark.parametrize("piece", quoted_messages())
def test_a_message_of_the_troubleshooting_page_is_in_the_code(piece: str) -> None:
    assert piece.rstrip(":") in strings()


def test_every_part_of_the_runner_is_named_on_the_architecture_page() -> None:
    page = text_of(DOCS / "architecture.md")
    for path in (REPO / "runner").iterdir():
        if path.suffix == ".py" or (path / "__init__.py").is_file():
            assert path.name == "__init__.py" or path.name in page, path.name


def test_the_architecture_page_names_only_modules_that_exist() -> None:
    part = ""
    for row in rows(DOCS / "architecture.md", "## What each part holds"):
        part = row[0].strip("`") if row[0].startswith("`") else part
        for module in spans(row[1]):
            if re.fullmatch(r"[a-z_]+", module) and module != "env":
                assert (REPO / "runner" / part / f"{module}.py").is_file(), f"{part}/{module}"
