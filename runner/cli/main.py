"""`run-pipeline`: a pipeline file runs it; `check`, `status`, `env` and others are commands beside that."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from runner import __version__
from runner.cli.screen import guard, lost, speak_utf8

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# command -> (module, one line for the overview), so that an overview imports none of them
COMMANDS = {
    "run": ("runner.cli.run", "Run a pipeline file (the word `run` may be left out)."),
    "check": ("runner.cli.check", "Check a pipeline file and its environments; run nothing."),
    "status": ("runner.cli.status", "Show what is done, when, how long it took, and what would run."),
    "new": ("runner.cli.new", "Make a pipeline file for a folder of images."),
    "doctor": ("runner.cli.doctor", "Look at this machine before a long run; each finding with its cure."),
    "env": ("runner.cli.env", "List, update or remove the environments of uv groups."),
    "compare": ("runner.cli.compare", "Compare the results of two pipelines, or of two folders."),
    "reproduce": ("runner.cli.reproduce", "Run a recorded run again, from its own record, and compare."),
    "programs": ("runner.cli.programs", "Show the programs that ship, and what arguments they take."),
    "migrate": ("runner.cli.migrate", "Turn a conda environment file into a dependency group."),
    "bundle": ("runner.cli.bundle", "Put all that pipelines need into one file, for a computer without a network."),
    "submit": ("runner.cli.submit", "Hand what is not done to a cluster, and wait for nothing."),
    "resume": ("runner.cli.resume", "Follow a run that was submitted, from any shell."),
    "logs": ("runner.cli.logs", "Show what the segments of the last run print."),
    "cancel": ("runner.cli.cancel", "End the jobs of a run that was submitted."),
    "collect": ("runner.cli.collect", "Take in what the jobs of a submitted run have finished."),
    "login": ("runner.cli.login", "Log in to a cluster, once for all commands that follow."),
    "unbundle": ("runner.cli.unbundle", "Unpack a bundle where there is no network."),
    "kernel": ("runner.cli.kernel", "Use the environment of a segment in Jupyter."),
    "completion": ("runner.cli.completion", "Print the script that lets the shell's Tab key complete."),
}
# what no person types
HIDDEN = {"worker": "runner.cli.worker", "unbundled": "runner.cli.unbundled"}
DEFAULT = "run"
COMPLETE = "_RUN_PIPELINE_COMPLETE"  # click's name for it

EPILOG = """\b
Examples:
  run-pipeline pipeline.yaml               run what is not done yet
  run-pipeline pipeline.yaml --dry-run     show the plan and the command lines
  run-pipeline pipeline.yaml --from 3      run segment 3 and what follows
  run-pipeline status pipeline.yaml        what is done
\b
Exit codes: 0 done, 1 a segment failed, 2 usage or an invalid pipeline file,
3 an environment is missing or could not be prepared, 4 the runner itself
failed, 130 interrupted."""


class Commands(click.Group):
    """Commands imported when they are used; a first word that is none of them is a pipeline file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        module = HIDDEN.get(name) or COMMANDS.get(name, ("", ""))[0]
        if not module:
            return None
        command = import_module(module).command
        assert isinstance(command, click.Command)
        if not gc.isenabled():  # what is imported by now stays; what follows may last for days and make garbage
            gc.freeze()
            gc.enable()
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*COMMANDS, *HIDDEN) and args[0] not in ("--help", "-h", "--version"):
            _refuse_mistyped(args[0])
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The Tab key at the first word: a command, or a pipeline file."""
        from runner.cli.completing import complete_files

        return [*super().shell_complete(ctx, incomplete), *complete_files(ctx, self.params[0], incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands (each with --help)"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["FILE.yaml [OPTIONS]  |  COMMAND [ARGS]..."]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of a run too: it is what nearly everybody wants to know."""
        run = self.get_command(ctx, DEFAULT)
        assert run is not None
        options = [parameter for parameter in run.params if isinstance(parameter, click.Option)]
        records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        with formatter.section("Options of a run"):
            formatter.write_dl(records)
        super().format_options(ctx, formatter)


def _refuse_mistyped(word: str) -> None:
    """A word without an ending that is no file is no pipeline, but a command misspelled."""
    if "." in word or word.startswith("-") or os.path.lexists(word):
        return
    from runner.pipeline.near import near

    if command := near(word, COMMANDS):
        raise click.UsageError(f"there is no command or file {word}. Did you mean the command `{command}`?")


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG, no_args_is_help=True
)
@click.version_option(__version__, message="run-pipeline %(version)s")
def cli() -> None:
    """Runs the segments of a pipeline file, each in its own conda or uv environment.

    What is finished is not run again: the first segment that is new or changed starts the part that runs.
    SEGMENT is a segment's number (as --dry-run shows it) or its name.
    """


def start() -> NoReturn:
    """The command line as a process: its exit status is the command's, whether or not its output is read."""
    speak_utf8()
    guarded = guard()
    if COMPLETE in os.environ:  # the shell asks, by its own script
        import_module("runner.cli.completion")
    try:
        cli(prog_name="run-pipeline")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    if why := lost(guarded):
        with contextlib.suppress(OSError):
            print(f"error: not everything could be printed: {why}", file=sys.stderr, flush=True)
        code = code or 4
    _leave(code)


def _leave(code: int) -> NoReturn:
    """At once: Python would take down piece by piece, in a fifth of a short command's time, what the system frees."""
    if threading.active_count() == 1 and sys.getprofile() is None:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)
