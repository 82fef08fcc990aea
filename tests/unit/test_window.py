"""Whether a window is to be held open: only one that a double-click opened."""

import pytest

from runner.cli.finish import started_by_double_click


@pytest.mark.parametrize(
    "ancestors",
    [
        ["run-pipeline.exe", "explorer.exe"],
        ["python.exe", "run-pipeline.exe", "Explorer.EXE", "userinit.exe"],
        ["python3.11.exe", "py.exe", "explorer.exe"],
        ["python.exe", "uv.exe", "explorer.exe"],
    ],
)
def test_a_double_click_is_known_by_its_explorer(ancestors: list[str]) -> None:
    assert started_by_double_click(ancestors)


@pytest.mark.parametrize(
    "ancestors",
    [
        [],
        ["python.exe", "run-pipeline.exe"],
        ["run-pipeline.exe", "powershell.exe", "explorer.exe"],
        ["python.exe", "cmd.exe", "explorer.exe"],
        ["python.exe", "WindowsTerminal.exe", "explorer.exe"],
        ["python", "bash", "sshd"],
    ],
)
def test_a_terminal_is_not_held_open(ancestors: list[str]) -> None:
    assert not started_by_double_click(ancestors)
