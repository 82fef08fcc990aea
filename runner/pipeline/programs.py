"""The programs that ship, in `standard_code/python`: what they take, and what is wrong with a segment's arguments.

They are asked in a process of their own, with the runner's Python: no environment has to be there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from runner.frozen import frozen
from runner.host import Host
from runner.model import Finding, ResolvedEntry, Segment, Severity, Value
from runner.pipeline.findings import keyed_words, script_place
from runner.pipeline.glued import mended
from runner.pipeline.near import did_you_mean, near
from runner.pipeline.tokens import ITEM_TOKEN

FOLDER = "standard_code/python"
_MODULE = "standard_code.python."
Facts = dict[str, Any]


@frozen
class Line:
    """The command line of one segment: its program, and the words behind it with the keys of their entries."""

    program: str
    words: tuple[tuple[str, str], ...]
    segment: Segment


@frozen
class Answer:
    """What the program says of a line: what it takes, and what it would refuse."""

    facts: Facts
    problems: Sequence[dict[str, Any]]

    def roles(self) -> dict[str, str]:
        """What its flags name: `pattern`, `folder` or `file` of the input, `output`, or nothing on the disk."""
        return {name: one["role"] for one in arguments_of(self.facts) for name in one["names"]}


def arguments_of(facts: Facts) -> Iterator[dict[str, Any]]:
    """All arguments of a program."""
    return (argument for group in facts["groups"] for argument in group["arguments"])


def all_programs(repo: PurePath, host: Host) -> list[Facts]:
    """Every program that ships with the repository, by name."""
    return _ask({}, repo, host)


def line_of(segment: Segment, entries: Sequence[ResolvedEntry], cwd: str, repo: PurePath, host: Host) -> Line | None:
    """The segment's command line, None where it starts none of these programs."""
    words = keyed_words(segment, entries)
    place = next((n for n, (_, word) in enumerate(words) if word.startswith(_MODULE)), None)
    if place and words[place - 1][1] == "-m":
        return Line(f"{words[place][1].removeprefix(_MODULE)}.py", tuple(words[place + 1 :]), segment)
    place = script_place(words)
    if place is None:
        return None
    script = host.path(cwd) / words[place][1]
    if script.parent != host.path(repo) / FOLDER or script.suffix != ".py":
        return None
    return Line(script.name, tuple(words[place + 1 :]), segment)


def ask_about(lines: Sequence[Line], repo: PurePath, host: Host) -> list[Answer | None]:
    """The program's answer to each line; None where it cannot be asked. Only on the platform that `host` is."""
    if not lines or host.platform != sys.platform:
        return [None] * len(lines)
    told = _ask({"lines": [(line.program, [word for _, word in line.words]) for line in lines]}, repo, host)
    facts = {one["program"]: one for one in told if "program" in one}
    problems = [one["problems"] for one in told if "problems" in one] or [[]] * len(lines)
    pairs = zip(lines, problems, strict=True)
    return [Answer(facts[line.program], wrong) if line.program in facts else None for line, wrong in pairs]


def _ask(question: dict[str, Any], repo: PurePath, host: Host) -> list[Any]:
    """Its answers; none where it cannot answer, as in a repository without these programs."""
    from pathlib import Path

    script = Path(repo, FOLDER, "_programs.py")
    if not script.is_file():
        return []
    # -B: a check writes nothing, compiled modules neither
    argv = [sys.executable, "-I", "-S", "-B", str(script)]
    captured = host.capture(argv, stdin=json.dumps(question).encode())
    if captured.code != 0:
        return []
    return [json.loads(text) for text in captured.stdout.splitlines()]


def findings(line: Line, answer: Answer) -> list[Finding]:
    """The problems in words."""
    problems = list(_with_dashes(line, answer.problems))
    meant = {flag for one in problems if one["kind"] in ("unknown", "extra") and (flag := _meant(one))}
    return [
        _finding(line, one)
        for one in problems
        if not (one["kind"] == "missing" and meant & {one["flag"], *one["choices"]})
        and not (line.segment.many and one["kind"] in ("value", "choice") and ITEM_TOKEN.search(one["text"]))
    ]


def _with_dashes(line: Line, problems: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A value that begins with a dash is taken for a flag, and its own flag has none: one problem of these two."""
    dashed = set()
    for one in problems:
        word = one["word"]
        if one["kind"] == "no value" and _value_in_file(line, word) not in (None, ""):
            dashed.add(word + 1)
            one = one | {"kind": "dash", "text": line.words[word + 1][1]}
        if word not in dashed:
            yield one


def _value_in_file(line: Line, word: int) -> Value:
    """What the file gives to the flag that is this word."""
    key, flag = line.words[word]
    entry = line.segment.commands[int(key.partition(".")[2])]
    return None if isinstance(entry, str) else dict(entry.items).get(flag)


def _meant(problem: dict[str, Any]) -> str | None:
    """The flag that was meant by what is none: misspelled, glued to its value, or without its dashes."""
    text = problem["text"]
    if written := mended(text):
        return near(written[0], problem["choices"])
    flag = text.partition("=")[0]
    return near(flag, problem["choices"]) if re.search(r"[-_‐-―−]", flag) else None


def _finding(line: Line, problem: dict[str, Any]) -> Finding:
    word = problem["word"]
    key = "commands" if word is None else line.words[word][0]
    if problem["kind"] in ("unknown", "extra"):
        problem = problem | {"text": _written(line.segment, key, problem["text"])}
    if words := _WORDS.get(problem["kind"]):
        message, cure = words(line.program, problem)
    else:
        flags = " or ".join(problem["choices"] or [problem["flag"]])
        values = {**problem, "program": line.program, "name": line.program.removesuffix(".py"), "flags": flags}
        message, cure = (text.format_map(values) for text in _SAID[problem["kind"]])
    severity = Severity.WARNING if problem["kind"] == "twice" else Severity.ERROR
    return Finding(message, cure, key, severity)


def _written(segment: Segment, key: str, text: str) -> str:
    """The text as it stands in the file, its tokens not replaced."""
    entry = segment.commands[int(key.partition(".")[2])]
    return entry if isinstance(entry, str) else text


def _unknown(program: str, problem: dict[str, Any]) -> tuple[str, str]:
    text, meant = problem["text"], _meant(problem)
    if not text.startswith("-"):
        cure = did_you_mean(text, meant) if meant else "Write the flag before it, or delete it."
        return f"{program} takes no argument `{text}` here", cure
    if written := mended(text):
        flag, value = written
        return (
            f"{program} has no argument `{text}`",
            f"Write the flag and its value apart: `- {meant or flag}: {value}`.",
        )
    lists = f"`run-pipeline programs {program.removesuffix('.py')}` lists what it takes."
    return f"{program} has no argument {problem['flag']}", did_you_mean(problem["flag"], meant) if meant else lists


def _value(program: str, problem: dict[str, Any]) -> tuple[str, str]:
    wanted = problem["wanted"]
    said = wanted if wanted.startswith(("'", '"')) else f"{problem['text']!r} is not {wanted}"
    cure = f"`run-pipeline programs {program.removesuffix('.py')}` lists what its arguments take."
    return f"{problem['flag']} of {program}: {said}", cure


def _choice(program: str, problem: dict[str, Any]) -> tuple[str, str]:
    text, choices = problem["text"], problem["choices"]
    meant = near(text, choices)
    cure = f"Take one of: {', '.join(choices)}."
    message = f"{problem['flag']} of {program}: `{text}` is none of its choices"
    return message, f"{did_you_mean(text, meant)} {cure}" if meant else cure


def _extra(program: str, problem: dict[str, Any]) -> tuple[str, str]:
    flag, text = problem["flag"], problem["text"]
    message = f"{flag} of {program} takes {problem['wanted']}, and `{text}` follows it"
    if written := mended(text):
        return message, f"That is one argument. Write the flag and its value apart: `- {written[0]}: {written[1]}`."
    if meant := _meant(problem):
        return message, did_you_mean(text, meant)
    if problem["wanted"] == "no value":
        return message, f"Write `- {flag}` alone, or delete it where it is not wanted."
    return message, "Write the flag of that value before it, or put both into quotes as one value."


_WORDS = {"unknown": _unknown, "value": _value, "choice": _choice, "extra": _extra}
# of the other kinds: what is said, and the cure
_SAID = {
    "no value": ("{flag} of {program} needs a value", "Write it behind a colon: `- {flag}: VALUE`."),
    "dash": (
        "{flag} of {program}: its value `{text}` begins with a dash, so that the program takes it for a flag",
        "Write both as one argument: `- {flag}={text}`.",
    ),
    "missing": ("{program} needs {flags}, which is not given", "Add to `commands`: `- {flag}: VALUE`."),
    "whole": ("{program}: {text}", "`run-pipeline programs {name}` tells of each."),
    "twice": ("{flag} of {program} is given before; the last one counts", "Delete one of them."),
}


def glued_findings(segment: Segment) -> list[Finding]:
    """Entries of the segment that are one argument, where a flag and its value are probably meant."""
    found = []
    for number, entry in enumerate(segment.commands):
        if isinstance(entry, str) and (written := mended(entry)):
            message = f"`{entry}` is one argument: the blank, colon or quotes in it reach the program"
            cure = f"If a flag and its value are meant, write them apart: `- {written[0]}: {written[1]}`."
            found.append(Finding(message, cure, f"commands.{number}", Severity.WARNING))
    return found
