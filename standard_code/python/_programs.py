"""What the programs here take, read from their own parsers, for whoever checks command lines before they run.

Reads a question as JSON from standard input and answers with JSON lines, one for each part. Every program whose file
has a function `arguments` that gives its parser, and that imports its packages later, can be asked.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
TYPES = {None: "text", int: "a whole number", float: "a number", str.lower: "text", str.upper: "text"}
Problem = dict[str, Any]  # kind, word (its place in the command line, or None), flag, text, choices


def names() -> list[str]:
    """The programs here that can be asked."""
    return sorted(path.name for path in HERE.glob("*.py") if _can_be_asked(path))


def _can_be_asked(path: Path) -> bool:
    """A script that would do its work when it is imported is left alone."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return all(re.search(rf"^{start}", text, re.MULTILINE) for start in (r"def arguments\(\)", r"if __name__ == "))


@cache
def module_of(program: str) -> ModuleType | None:
    """The program, None where it cannot be imported here, because of its packages for example."""
    if program not in names():
        return None
    try:
        module = importlib.import_module(program.removesuffix(".py"))
        return module if isinstance(module.arguments(), argparse.ArgumentParser) else None
    except (Exception, SystemExit):
        return None


def parser_of(module: ModuleType) -> argparse.ArgumentParser:
    """A parser that is used once: some uses change it."""
    made = module.arguments()
    assert isinstance(made, argparse.ArgumentParser)
    return made


def described(program: str, module: ModuleType) -> dict[str, Any]:
    """All that --help says, as values."""
    parser = parser_of(module)
    either = [group._group_actions for group in parser._mutually_exclusive_groups if group.required]
    groups = []
    for group in parser._action_groups:
        shown = [a for a in group._group_actions if a.dest != "help" and a.help != argparse.SUPPRESS]
        arguments = [argument(a, [one for part in either if a in part for one in part]) for a in shown]
        if arguments:
            groups.append({"title": group.title, "about": group.description or "", "arguments": arguments})
    about = {"about": parser.description or "", "more": parser.epilog or ""}
    return {"program": program, **about, "group": getattr(module, "GROUP", Path(program).stem), "groups": groups}


def argument(action: argparse.Action, either: Sequence[argparse.Action]) -> dict[str, Any]:
    """One argument; `either` are those of which one must be given."""
    default = None if action.default in (None, "", argparse.SUPPRESS, False) else action.default
    return {
        "names": list(action.option_strings) or [action.dest],
        "takes": "nothing" if action.nargs == 0 else "several" if action.nargs in ("+", "*") else "one",
        "value": action.metavar or "",
        "type": "" if action.nargs == 0 else type_of(action),
        "choices": [str(choice) for choice in action.choices or ()],
        "default": default if isinstance(default, str | int | float | list | None) else str(default),
        "required": action.required,
        "either": [one.option_strings[0] for one in either],
        "role": role_of(action),
        "help": action.help or "",
    }


def type_of(action: argparse.Action) -> str:
    """What a value must be, in words: of a function of ours, what it says of itself."""
    if action.choices:
        return "one of " + ", ".join(str(choice) for choice in action.choices)
    known = TYPES.get(action.type)  # type: ignore[arg-type]
    if known or not action.type:
        return known or "text"
    told = (getattr(action.type, "__doc__", None) or "").split("\n")[0].rstrip(".")
    return told[:1].lower() + told[1:] if told else str(getattr(action.type, "__name__", "text")).strip("_")


def role_of(action: argparse.Action) -> str:
    """Whether its value names files that must be there (pattern, folder, file), or where results go (output)."""
    kind = str(action.metavar or "").lower()
    if kind not in ("pattern", "folder", "file"):
        return ""
    return "output" if action.dest.startswith(("output", "results", "pictures")) else kind


def problems(module: ModuleType, words: Sequence[str]) -> list[Problem]:
    """What the program would say of these arguments, all at once; it says the first alone."""
    parser = parser_of(module)
    if not all(action.option_strings for action in parser._actions):
        return whole(module, words)
    needed = [action for action in parser._actions if action.required]
    either = [group for group in parser._mutually_exclusive_groups if group.required]
    parser.exit_on_error = False
    for action in parser._actions:
        action.required, action.default = False, argparse.SUPPRESS
    for group in either:
        group.required = False
    found: list[Problem] = []
    given: dict[str, int] = {}
    for start, part in parts(parser, words):
        found += of_part(parser, start, part, given)
    found += [_problem("missing", None, a.option_strings[0]) for a in needed if a.dest not in given]
    for group in either:
        if not any(action.dest in given for action in group._group_actions):
            flags = [action.option_strings[0] for action in group._group_actions]
            found.append(_problem("missing", None, flags[0], choices=flags))
    return found or whole(module, words)


def parts(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Each flag with the words that follow it, and where it stands; as argparse tells flags from values."""
    starts = [0] + [number for number, word in enumerate(words) if number and _is_flag(parser, word)]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        if words[start:end]:
            yield start, list(words[start:end])


def _is_flag(parser: argparse.ArgumentParser, word: str) -> bool:
    if not word.startswith("-") or len(word) == 1:
        return False
    if word.split("=")[0] in parser._option_string_actions:
        return True
    return not (parser._negative_number_matcher.match(word) or " " in word)


def of_part(parser: argparse.ArgumentParser, start: int, part: list[str], given: dict[str, int]) -> list[Problem]:
    """What is wrong with one flag and its values; it is added to `given`, by where it stands."""
    flag = part[0].split("=")[0]
    action = parser._option_string_actions.get(flag)
    if action is not None:
        twice = action.dest in given and type(action).__name__ == "_StoreAction"
        given[action.dest] = start
    try:
        found, extra = parser.parse_known_args(part)
    except argparse.ArgumentError as error:
        assert action is not None
        text = part[0].partition("=")[2] or " ".join(part[1:])
        if len(part) > 1 or "=" in part[0]:
            wrong = action.choices is not None and "invalid choice" in str(error)
            kind = "choice" if wrong else "value"
            choices = [str(choice) for choice in action.choices or ()]
            return [_problem(kind, start, flag, text, choices, wanted(action, error))]
        return [_problem("no value", start, flag)]
    except SystemExit:  # --help, --version
        given.update(dict.fromkeys((one.dest for one in parser._actions), start))
        return []
    given.update(dict.fromkeys(vars(found), start))  # such as an abbreviation
    if action is not None and role_of(action) and (part[1:2] == [""] or part[0] == f"{flag}="):
        return [_problem("no value", start, flag)]
    if not extra:
        return [_problem("twice", start, flag)] if action is not None and twice else []
    if extra[0] == part[0]:
        return [_problem("unknown", start, flag, part[0], sorted(parser._option_string_actions))]
    takes = "no value" if action is not None and action.nargs == 0 else "one value"
    known = sorted(parser._option_string_actions)
    return [_problem("extra", start + part.index(extra[0]), flag, extra[0], known, takes)]


def wanted(action: argparse.Action, error: argparse.ArgumentError) -> str:
    """What the value should be, as an end of `... is not`; "" where the error's own words say it."""
    message = str(error).partition(": ")[2]
    return (TYPES.get(action.type) or "") if message.startswith("invalid ") else message  # type: ignore[arg-type]


def _problem(
    kind: str, word: int | None, flag: str, text: str = "", choices: Sequence[str] = (), wanted: str = ""
) -> Problem:
    return {"kind": kind, "word": word, "flag": flag, "text": text, "choices": list(choices), "wanted": wanted}


def whole(module: ModuleType, words: Sequence[str]) -> list[Problem]:
    """What the program says of the whole command line: arguments that exclude or need each other."""
    said = io.StringIO()
    read = getattr(module, "parsed", None) or (lambda words: parser_of(module).parse_args(words))
    with contextlib.redirect_stderr(said):
        try:
            read(list(words))
        except SystemExit as end:
            if end.code:
                return [_problem("whole", None, "", said.getvalue().rpartition("error: ")[2].strip())]
    return []


def answers(question: dict[str, Any]) -> Iterator[Any]:
    """What each program takes, or those of the question's lines; then what is wrong with each line."""
    lines = question.get("lines", [])
    asked = {program for program, _ in lines} if lines else names()
    for program in sorted(asked):
        if (module := module_of(program)) is not None:
            yield described(program, module)
    for program, words in lines:
        module = module_of(program)
        yield {"problems": problems(module, words) if module else []}


def main() -> int:
    """Answers; gives the exit code."""
    sys.path.insert(0, str(HERE))
    told = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # --help, or a program that prints when it is imported
        for answer in answers(json.load(sys.stdin)):
            print(json.dumps(answer), file=told, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
