"""`run-pipeline completion SHELL`: the script that asks the runner what the Tab key could mean."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
)

from runner.cli.main import COMPLETE, cli

_SHELLS = ("bash", "zsh", "fish", "powershell")
_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName run-pipeline -ScriptBlock {
    param($word, $line, $position)
    $text = $line.ToString().PadRight($position).Substring(0, $position)
    $env:%(complete_var)s = 'powershell_complete'
    $env:_RUN_PIPELINE_WORDS = $text
    try {
        & '%(prog_name)s' | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            $shown = if ($value -match '\\s') { "'" + $value.Replace("'", "''") + "'" } else { $value }
            [System.Management.Automation.CompletionResult]::new($shown, $value, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:%(complete_var)s, Env:_RUN_PIPELINE_WORDS
    }
}
"""


class Bash(BashComplete):
    """Values with blanks get their quotes, and a word with a colon, which bash takes apart, is one."""

    def source(self) -> str:
        # readline quotes file names alone; what is no file is taken for one without harm
        return super().source().replace("complete -o nosort", "complete -o nosort -o filenames")

    def get_completion_args(self) -> tuple[list[str], str]:
        words, incomplete = super().get_completion_args()
        joined: list[str] = []
        for word in [*words, incomplete]:
            glued = joined and (word.startswith(":") or joined[-1].endswith(":"))
            joined[-1:] = [joined[-1] + word] if glued else [*joined[-1:], word]
        self._before = joined[-1].rpartition(":")
        return joined[:-1], joined[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """What stands before the last colon is on the line already."""
        item.value = item.value.removeprefix("".join(self._before[:2]))
        return super().format_completion(item)


class PowerShell(ShellComplete):
    """What click lacks: Windows PowerShell and PowerShell 7."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one at the cursor, and that one."""
        import os

        from click.shell_completion import split_arg_string

        text = os.environ["_RUN_PIPELINE_WORDS"]
        words = [word.strip("'\"") for word in split_arg_string(text.replace("\\", "\\\\"))][1:]
        return (words, "") if text[-1:].isspace() or not words else (words[:-1], words[-1])

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.value}\t{item.help or item.value}"


for one in (Bash, PowerShell):
    add_completion_class(one)


@click.command(name="completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print the script that lets the Tab key of SHELL complete commands, files, segments, groups and programs."""
    made: Any = get_completion_class(shell)
    click.echo(made(cli, {}, "run-pipeline", COMPLETE).source())
