"""`run-pipeline programs [NAME]`: the programs that ship, what arguments they take, and a segment that starts one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import click

from runner.cli.common import make_site, print_json, screen, usual
from runner.cli.completing import complete_programs
from runner.errors import UsageError
from runner.pipeline.near import did_you_mean, near
from runner.pipeline.programs import FOLDER, Facts, all_programs

_VALUES = {"pattern": "'%YAML%/images/**/*.tif'", "output": "'%YAML%/results'"}
_WIDTH = 100


@click.command(name="programs")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_programs)
@usual
def command(name: str | None, as_json: bool, repo: str | None) -> int:
    """Show the programs that ship, or what one of them takes: arguments, types, defaults, an example.

    Their environments need not be there.
    """
    site = make_site(repo, interactive=False)
    chosen = _chosen(all_programs(site.repo, site.host), name, str(site.repo))
    if as_json:
        for facts in chosen:
            print_json("program", **facts)
        return 0
    console = screen()
    for line in _details(chosen[0]) if name else _overview(chosen):
        console.line(line)
    return 0


def _chosen(programs: list[Facts], name: str | None, repo: str) -> list[Facts]:
    """All, or the one of that name. Raises UsageError where there is none."""
    if not programs:
        raise UsageError(f"{repo} has no programs that could be listed", f"They are sought in {FOLDER} there.")
    names = {facts["program"].removesuffix(".py"): facts for facts in programs}
    if name is None:
        return programs
    wanted = name.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    if wanted not in names:
        meant = near(wanted, names)
        cure = did_you_mean(wanted, meant) if meant else f"There are: {', '.join(names)}."
        raise UsageError(f"there is no program {wanted}", cure)
    return [names[wanted]]


def _overview(programs: list[Facts]) -> Iterator[str]:
    width = max(len(facts["program"]) for facts in programs) + 1
    for facts in programs:
        lines = textwrap.wrap(facts["about"].split("\n\n")[0], _WIDTH - width - 1, break_on_hyphens=False)
        yield f"{facts['program'].removesuffix('.py'):{width}}{lines[0]}"
        yield from (" " * width + line for line in lines[1:])
    yield ""
    yield "`run-pipeline programs NAME` shows the arguments of one, and a segment that starts it."


def _details(facts: Facts) -> Iterator[str]:
    yield f"standard_code/python/{facts['program']}, environment uv:{facts['group']}"
    yield from ("", facts["about"].strip())
    for group in facts["groups"]:
        yield from ("", f"{group['title']}:")
        if group["about"]:
            yield f"  {group['about']}"
        for argument in group["arguments"]:
            yield f"  {', '.join(argument['names'])}{'' if argument['takes'] == 'nothing' else ': ' + _takes(argument)}"
            yield from textwrap.wrap(argument["help"].replace("%%", "%"), _WIDTH, initial_indent=" " * 6,
                                     subsequent_indent=" " * 6)  # fmt: skip
    if facts["more"]:
        yield from ("", *textwrap.wrap(facts["more"], _WIDTH))
    yield from ("", "A segment that starts it (needed arguments only):", "", *example(facts))


def _takes(argument: dict[str, Any]) -> str:
    kind = argument["value"].lower() if argument["type"] == "text" and argument["value"] else argument["type"]
    words = [f"{kind}{', or several of them' if argument['takes'] == 'several' else ''}"]
    if argument["default"] is not None:
        default = argument["default"]
        words.append(f"default {' '.join(map(str, default)) if isinstance(default, list) else default}")
    if argument["required"]:
        words.append("needed")
    elif argument["either"]:
        words.append(f"needed: one of {', '.join(argument['either'])}")
    return "; ".join(words)


def example(facts: Facts) -> list[str]:
    """A segment with the arguments that the program needs."""
    name = facts["program"].removesuffix(".py")
    lines = [f"- name: {name.strip('_').replace('_', ' ').capitalize()}", f"  environment: uv:{facts['group']}"]
    lines += ["  commands:", "  - python", f"  - '%REPO%/standard_code/python/{facts['program']}'"]
    for group in facts["groups"]:
        for argument in group["arguments"]:
            flag = argument["names"][0]
            if argument["required"] or (argument["either"] and argument["either"][0] == flag):
                value = _VALUES.get(argument["role"], f"'%YAML%/{flag.strip('-').split('-')[0]}'")
                lines.append(f"  - {flag}: {value}")
    return lines
