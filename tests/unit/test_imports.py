"""The directions of docs/architecture.md, held against the imports of the code itself."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
# part -> the parts of runner that it may import (itself always)
ALLOWED = {
    "errors": {"model"},
    "model": set[str](),
    "frozen": set[str](),
    "ground": {"errors"},
    "go": {"model"},
    "host": {"process", "model"},
    "process": {"model", "errors", "host", "ground"},
    "pipeline": {"model", "errors", "host", "state", "go", "ground"},
    "state": {"model", "errors", "host", "process", "go", "ground"},
    "inputs": {"model", "errors", "ground"},
    "records": {"model", "errors", "go", "ground", "state"},
    "items": {"model", "errors", "go", "ground", "pipeline", "records"},
    "changes": {"model", "go"},
    "graph": {"model"},
    "machine": set[str](),
    "budget": {"model", "machine", "ground"},
    "schedule": {"model", "graph", "budget"},
    "plan": {"model", "state", "changes", "graph", "go", "ground"},
    "report": {"ground", "records"},
    "environments": {"model", "errors", "host", "state", "pipeline", "go", "ground"},
    "tasks": {"model", "environments", "pipeline"},
    "checks": {"model", "environments", "pipeline", "tasks"},
    "executors": {
        *("model", "errors", "go", "ground", "process", "state", "environments", "tasks", "records", "items"),
        "schedule",
    },
    "runs": {
        *("model", "errors", "host", "go", "ground", "process", "state", "pipeline", "environments", "tasks", "checks"),
        *("records", "plan", "executors", "inputs", "items", "graph", "budget", "schedule", "machine"),
    },
    "doctor": {
        *("model", "errors", "host", "state", "process", "environments", "pipeline", "go", "ground"),
        *("tasks", "checks", "records", "executors", "items", "site_file", "kernels"),
    },
    "migrate": {"model", "errors", "host", "state", "environments", "pipeline", "compare", "records", "go", "ground"},
    "compare": {
        *("model", "errors", "host", "state", "process", "pipeline", "environments", "tasks", "checks", "plan"),
        *("records", "runs", "executors", "go", "ground", "inputs", "items"),
    },
    "reproduce": {
        *("model", "errors", "ground", "state", "pipeline", "environments", "tasks", "checks", "records", "runs"),
        *("executors", "inputs", "items", "compare"),
    },
    "kernels": {"errors", "host", "ground", "frozen"},
    "bundle": {
        *("model", "errors", "host", "ground", "process", "state", "pipeline", "environments", "tasks", "checks"),
        *("items", "inputs", "executors", "site_file", "login"),
    },
    "site_file": {"environments", "errors", "host", "pipeline", "ground"},
    "login": {
        *("model", "errors", "host", "ground", "process", "pipeline", "items", "inputs", "state", "site_file", "tasks"),
        *("environments", "records"),
    },
    "cluster": {
        *("model", "errors", "host", "go", "ground", "process", "state", "pipeline", "environments", "tasks", "checks"),
        *("records", "plan", "executors", "items", "graph", "budget", "schedule", "machine", "runs", "site_file"),
        "inputs",
    },
    "bootstrap": {"environments", "ground", "host", "site_file", "errors"},
}
# runs on a login node, where nothing of ours is
AGENT = REPO / "runner" / "login" / "agent.py"
# unpack a bundle, where nothing of ours is: tests/bundle/test_form.py holds them to Python 3.8
UNPACKING = REPO / "runner" / "bundle" / "own.py"
# the one place that names its siblings freely
ROOT = {"cli", "__main__", "__init__"}


def modules() -> list[Path]:
    return sorted((REPO / "runner").rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def part(path: Path) -> str:
    return path.relative_to(REPO / "runner").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Full names of the modules that `path` imports, also inside functions."""
    return set(_imports(tree(path)))


def _imports(node: ast.AST, *, typing: bool = True) -> Iterator[str]:
    """`typing`: those for the type checker alone, too."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not typing:
        return
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, typing=typing)


def circles(uses: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """Names that can be reached from themselves, those of one circle together."""
    reached: dict[str, set[str]] = {}
    for name in uses:
        reached[name], waiting = set(), [*uses[name]]
        while waiting:
            if (found := waiting.pop()) not in reached[name]:
                reached[name].add(found)
                waiting += uses.get(found, ())
    return [set(one) for one in {frozenset(b for b in reached[a] if a in reached[b]) for a in uses} if one]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(REPO)))
def test_a_module_imports_only_what_its_part_may(path: Path) -> None:
    own = part(path)
    if own in ROOT:
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("runner.")} - {own, "__version__", "frozen"}
    assert used <= ALLOWED[own], f"{own} must not import {sorted(used - ALLOWED[own])}"


def test_no_file_imports_itself_by_way_of_others() -> None:
    files = {
        ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__"): path for path in modules()
    }
    uses = {}
    for name, path in files.items():
        found = set(_imports(tree(path), typing=False))
        uses[name] = found & files.keys() - {name}
    assert circles(uses) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": []}) == [{"b", "c"}]
    assert circles({"a": ["b"], "b": []}) == []


def test_no_kind_of_environment_is_asked_for_its_name_by_others() -> None:
    for path in modules():
        if part(path) == "environments":
            continue
        for node in ast.walk(tree(path)):
            asked = isinstance(node, ast.Attribute) and node.attr == "kind" and ast.unparse(node.value).endswith("spec")
            assert not asked, f"{path}: {ast.unparse(node)}"


def test_only_the_command_line_exits() -> None:
    for path in modules():
        if part(path) in ROOT:
            continue
        names = {
            f"{node.func.value.id}.{node.func.attr}"
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        }
        assert not names & {"sys.exit", "os._exit"}, path


def test_only_process_and_bootstrap_start_programs() -> None:
    for path in modules():
        if part(path) in ("process", "bootstrap") or path in (AGENT, UNPACKING):
            continue
        used = imports(path) & {"subprocess", "multiprocessing", "asyncio", "pty"}
        # list2cmdline is text, not a process
        source = path.read_text(encoding="utf-8")
        if used == {"subprocess"} and source.count("subprocess.") == source.count("subprocess.list2cmdline"):
            continue
        assert not used, path


def test_what_runs_on_a_login_node_imports_the_standard_library_alone() -> None:
    assert {name.split(".")[0] for name in imports(AGENT)} <= sys.stdlib_module_names
    ast.parse(AGENT.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_segment_programs_and_runner_do_not_import_each_other() -> None:
    for path in (REPO / "standard_code").rglob("*.py"):
        assert not any(name.split(".")[0] == "runner" for name in imports(path)), path
    for path in modules():
        assert not any(name.split(".")[0] == "standard_code" for name in imports(path)), path


OF_MANY_PARTS = ("run", "check", "status", "doctor", "compare", "reproduce", "migrate", "submit", "resume", "logs")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], *([name, "--help"] for name in OF_MANY_PARTS)])
def test_version_and_help_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom runner.cli.main import cli\n"
        f"try: cli({arguments!r}, prog_name='run-pipeline')\nexcept SystemExit: pass\n"
        "print('heavy:', *sorted({m.split('.')[0] for m in sys.modules} & "
        "{'jsonschema','psutil','yaml','colorama','jinja2','tomllib'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("heavy:"), done.stdout
    assert "runner.report" not in done.stderr
