"""Where the parts of the segment programs lie, and that they do not import each other in a circle."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from tests.programs.conftest import PROGRAMS

FILES = {
    ".".join(path.relative_to(PROGRAMS).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PROGRAMS.rglob("*.py")
}


def imported(path: Path) -> Iterator[str]:
    """The files that this one imports when it runs, at its head or later."""
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_file_imports_one_that_imports_it() -> None:
    TopologicalSorter({name: set(imported(path)) & set(FILES) for name, path in FILES.items()}).prepare()


def test_programs_stay_where_pipelines_name_them_and_their_parts_lie_in_rooms() -> None:
    loose = {path.name for path in PROGRAMS.glob("_*.py")}
    assert loose == {"__init__.py", "_programs.py", "_segment_ernet.py"}, "a part belongs into a folder"


def test_no_room_has_the_name_of_a_package_that_python_brings() -> None:
    rooms = {path.name for path in PROGRAMS.iterdir() if (path / "__init__.py").exists()}
    assert rooms
    assert not rooms & {*sys.stdlib_module_names, *sys.builtin_module_names}
