"""Many files at a real terminal, in a pipe, and what `status --items` says of them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.lab import Lab, segment

if sys.platform == "win32":
    pytest.skip("pseudo-terminals of POSIX", allow_module_level=True)

from tests.acceptance.test_terminal import Terminal, terminals, wait_until  # noqa: F401  (a fixture)
from tests.support.terminal_picture import lines_of

CODE = (
    "import sys, time; time.sleep(float(sys.argv[2])); name = sys.argv[1]; print('seen', name); sys.exit('bad' in name)"
)


def over_files(lab: Lab, *names: str, seconds: float = 0.0) -> Path:
    folder = lab.data / "in"
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(name, encoding="utf-8")
    each = segment("Look", "python", "-c", CODE, "%NAME%", str(seconds), foreach="%YAML%/in/*.txt")
    return lab.pipeline([each])


def screen_of(terminal: Terminal) -> list[str]:
    return ["".join(sign for sign, _ in line).rstrip() for line in lines_of(terminal.screen)]


def test_at_a_terminal_the_region_shows_what_runs_and_is_gone_at_the_end(
    lab: Lab,
    terminals: list[Terminal],  # noqa: F811
) -> None:
    terminal = Terminal(lab, over_files(lab, "a.txt", "bad.txt", "c.txt", seconds=0.7), "--jobs", "2")
    terminals.append(terminal)
    terminal.until("of 3")
    assert terminal.wait() == 1
    assert b"0 of 3" in terminal.screen and b"     a.txt" in terminal.screen, terminal.screen.decode()
    shown = "\n".join(screen_of(terminal))
    assert "✗ bad.txt – failed after" in shown, shown
    assert "│ seen bad.txt" in shown and "again: run-pipeline" in shown and "items: 2 done, 1 failed" in shown, shown
    assert " of 3 · " not in shown, shown
    assert b"\x1b[?25l" not in terminal.screen


def test_ctrl_c_with_items_in_flight_leaves_the_screen_in_order(
    lab: Lab,
    terminals: list[Terminal],  # noqa: F811
) -> None:
    terminal = Terminal(lab, over_files(lab, "a.txt", "b.txt", "c.txt", seconds=60), "--jobs", "2")
    terminals.append(terminal)
    terminal.until("is ready")
    terminal.until("1 s")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    shown = "\n".join(screen_of(terminal))
    assert " of 3 · " not in shown and "Start the pipeline again" in shown, shown


@dataclass(frozen=True)
class Shell(Lab):
    """A shell starts the runner, is there again when it was suspended, and fetches it back."""

    def argv(self, *args: str | Path) -> list[str]:
        line = 'set -m; "$@"; echo "the shell is back"; sleep 1; fg; exit $?'
        return ["bash", "-c", line, "bash", *super().argv(*args)]


def test_after_ctrl_z_the_region_goes_on_below_what_the_shell_wrote(
    lab: Lab,
    terminals: list[Terminal],  # noqa: F811
) -> None:
    terminal = Terminal(Shell(lab.root), over_files(lab, "a.txt", "b.txt", "c.txt", seconds=2), "--jobs", "2")
    terminals.append(terminal)
    terminal.until("is ready")
    terminal.until("1 s")
    terminal.type(b"\x1a")
    terminal.until("the shell is back")
    assert terminal.wait() == 0
    shown = "\n".join(screen_of(terminal))
    assert "\nthe shell is back" in shown and "items: 3 done" in shown, shown


def test_in_a_pipe_failed_items_are_told_and_nothing_moves(lab: Lab) -> None:
    told = lab.run(over_files(lab, "a.txt", "bad.txt"), check=1).stdout
    assert "bad.txt – failed after" in told and "│ seen bad.txt" in told and "items: 1 done, 1 failed" in told, told
    assert "\x1b" not in told


def test_status_tells_new_changed_failed_and_removed_items_with_reasons(lab: Lab) -> None:
    pipeline = over_files(lab, "a.txt", "bad.txt", "c.txt")
    lab.run(pipeline, check=1)
    (lab.data / "in/a.txt").write_text("longer than it was", encoding="utf-8")
    (lab.data / "in/c.txt").unlink()
    (lab.data / "in/new.txt").touch()
    told = lab.run("status", pipeline, "--items").stdout
    assert "1. Look: 3 items: 1 new, 1 changed, 1 failed last time; 1 removed" in told, told
    lines = [line.strip() for line in told.splitlines()]
    kinds = [line.split(" – ")[1].split(":")[0] for line in lines if line[:2] in ("✗ ", "~ ", "+ ", "- ")]
    assert kinds == ["failed last time", "changed", "new", "removed"], told
    assert any("changed: its size was 5 B, is 18 B now" in line for line in lines), told
    events = [json.loads(line) for line in lab.run("status", pipeline, "--items", "--json").stdout.splitlines()]
    assert [event["event"] for event in events] == ["status", "items", "item", "item", "item", "item"]
    assert events[1]["done"] == 0 and events[1]["removed"] == 1


def test_status_of_a_pipeline_without_items_says_so(lab: Lab) -> None:
    assert (
        "No segment of it goes over many"
        in lab.run("status", lab.pipeline([segment("a", "python", "-c", "pass")]), "--items").stdout
    )


def test_status_names_the_items_that_run_now(lab: Lab) -> None:
    pipeline = over_files(lab, "a.txt", "b.txt", seconds=60)
    runner = lab.popen(pipeline, "--jobs", "1")
    try:
        assert wait_until(lambda: "now: a.txt" in lab.run("status", pipeline, "--items").stdout, 40)
        told = lab.run("status", pipeline, "--items").stdout
        assert "now: b.txt" not in told and "+ b.txt – new" in told, told
        assert "Now: 1. Look" in told, told
    finally:
        runner.terminate()
        runner.communicate(timeout=30)
