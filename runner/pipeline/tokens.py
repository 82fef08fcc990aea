"""`%REPO%`, `%YAML%` and `%NAME%` at the beginning of a text, and paths cleaned as Go's filepath.Join did."""

from __future__ import annotations

import ntpath
import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import PurePath
from typing import TypedDict, Unpack

from runner.go.text import go_text
from runner.model import FlagMap, Foreach, ResolvedEntry, ResolvedFlags, Segment, Value
from runner.pipeline.near import near

_TOKEN = re.compile(r"%([^%]+)%(.*)", re.DOTALL)
_ANYWHERE = re.compile(r"%(?P<name>[^\W\d][\w.-]*)%")
# `%YAML/x`, `%YAML %/x`, `${YAML}/x`, `％YAML％/x`: one that lost a sign, or has other ones
_SIGNS = "%％﹪${}"
SIGN = re.compile(f"[{_SIGNS}]")
_ALMOST = re.compile(rf"[\s{_SIGNS}]*(?P<name>[^\W\d][\w.-]*)[\s{_SIGNS}]*(?=[\\/]|$)")
_OWN = ("REPO", "YAML")
# In a segment that runs once for each item; they stand anywhere in a word, and are put in by `runner.items`
ITEM_TOKENS = ("ITEM", "NAME", "STEM", "PARENT", "RELATIVE", "INDEX", "MATRIX", "ITEMS", "ITEMS_FILE")
ITEM_TOKEN = re.compile(rf"%(?:(?P<name>{'|'.join(ITEM_TOKENS)})|COL:(?P<column>[^%\r\n]+))%")
# `%STEM.tif`, `STEM%`, `%COL: x %`, `%column=x%`: one that lost a sign, or has another one
_LOST = re.compile(rf"%(?P<a>{'|'.join(ITEM_TOKENS)})(?![\w%:])|(?<![\w%])(?P<b>{'|'.join(ITEM_TOKENS)})%(?!\w)")
_ODD_COLUMN = re.compile(r"%\s*col(?:umns?)?\s*[:.=]\s*(?P<name>[^%\r\n]+?)\s*%", re.IGNORECASE)
_SEPARATORS = re.compile(rf"{ITEM_TOKEN.pattern}|[\\/]+")
# `./x` with one of these endings is meant from the program's folder, anything else from the pipeline file's
_PROGRAMS = (".py", ".ijm", ".exe")


def resolve(
    text: str, *, repo: PurePath, folder: PurePath, dotenv: Mapping[str, str], windows: bool, items: bool = False
) -> str:
    """`text` with the token at its beginning replaced; a token elsewhere, or unknown, stays as it is.

    `folder` is the pipeline file's. The rest behind a token may be written with either separator. `items`: of a
    segment with `many`, where the tokens of items stay whole wherever they stand, also where .env has such a name.
    """
    if text.startswith("./"):
        return _join(str(repo if text.endswith(_PROGRAMS) else folder), text[2:], windows, items)
    if not text.startswith("%"):
        return text
    match = _TOKEN.fullmatch(text)
    if not match:
        return text
    name, rest = match[1], match[2]
    if name == "REPO":
        return _join(str(repo), rest, windows, items)
    if name == "YAML":
        return _join(str(folder), rest, windows, items)
    if name not in dotenv or (items and name in ITEM_TOKENS):
        return text
    value = dotenv[name]
    return value + rest if "://" in value else _join(value, rest, windows, items)


def odd_tokens(
    text: str, dotenv: Mapping[str, str], *, of_shell: Collection[str] | None = None, items: bool = False
) -> Iterator[tuple[str, str]]:
    """What looks like a token in `text` and stays as it is: what is to be said of it, and the cure.

    `of_shell`: in a line for a shell, variables of the segment's own; the shell has others of such a form.
    `items`: in a segment that runs once for each item, where the tokens of items are none of these.
    """
    yield from _odd_item_tokens(text, dotenv, of_shell is not None, items)
    known = (*_OWN, *dotenv, *(ITEM_TOKENS if items else ()))
    almost = _ALMOST.match(text) if of_shell is None else None
    if (
        almost
        and (name := almost["name"]) in (*_OWN, *dotenv)
        and f"%{name}%" not in text
        and almost[0].strip() != name
    ):
        yield f"{almost[0]} is no token and stays as it is", f"Write '%{name}%{text[almost.end() :]}'."
    yield from _odd_value(text, dotenv)
    for match in _ANYWHERE.finditer(text) if "%" in text else ():
        token, name = match[0], match["name"]
        if (of_shell is not None and name in of_shell) or (name in ITEM_TOKENS and (items or name not in dotenv)):
            continue
        if name in known and match.start():
            cure = f"Write the flag and its value apart: `- {text[: match.start() - 1]}: '{text[match.start() :]}'`."
            flag = re.fullmatch(r"--?[\w-]+[=:]", text[: match.start()])
            yield f"{token} is replaced at the beginning of a text only; here it stays as it is", cure if flag else ""
        elif name not in known:
            meant = near(name, known)
            if meant is None and not (
                of_shell is None and name.isupper() and len(name) > 2
            ):  # such as %H%M%S, of a time
                continue
            cure = f"Did you mean %{meant}%?" if meant else f"Write {name}=VALUE into .env of the repository."
            yield f"there is no token {token}: it stays as it is", cure


def _odd_item_tokens(text: str, dotenv: Mapping[str, str], in_shell: bool, items: bool) -> Iterator[tuple[str, str]]:
    for match in ITEM_TOKEN.finditer(text) if "%" in text else ():
        name = match["name"]
        if items and name in dotenv:
            yield f"{match[0]} is the item's here, and not {name} of .env", f"Give {name} another name in .env."
        elif not items and not in_shell and name not in dotenv:
            which = "`matrix:`" if name == "MATRIX" else "`foreach:` or `matrix:`" if name is None else "`foreach:`"
            yield f"{match[0]} means something only with {which}; here it stays as it is", ""
    if items and "%" in text:
        rest = ITEM_TOKEN.sub(" ", text)
        for match in _LOST.finditer(rest):
            yield f"{match[0]} is no token and stays as it is", f"Write %{match['a'] or match['b']}%."
        for match in _ODD_COLUMN.finditer(rest):
            yield f"{match[0]} is no token and stays as it is", f"Write %COL:{match['name']}%."


def _odd_value(text: str, dotenv: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Of a value of .env that `text` begins with: nothing, or another token, stands where a folder should."""
    match = _TOKEN.fullmatch(text)
    value = dotenv.get(match[1]) if match and match[1] not in _OWN else None
    if match is None or value is None:
        return
    if match[2] and not value.strip():
        yield f"the value of {match[1]} in .env is empty, so this is {match[2]}", f"Write {match[1]}=VALUE there."
    for inner in _ANYWHERE.finditer(value):
        if inner["name"] in (*_OWN, *dotenv):
            cure = (
                f"Write ${{{inner['name']}}} there." if inner["name"] in dotenv else "Write the folder in full there."
            )
            yield f"{inner[0]} in the value of {match[1]} in .env stays as it is", cure


def _join(base: str, rest: str, windows: bool, items: bool = False) -> str:
    """Go's filepath.Join: empty parts left out, the result cleaned; empty when all are."""
    if items and (token := ITEM_TOKEN.search(rest)):
        return _join_before(token, base, rest, windows)
    normpath, sep = (ntpath.normpath, "\\") if windows else (posixpath.normpath, "/")
    if not windows:
        rest = rest.replace("\\", "/")  # a YAML from a Windows workstation
    if not base and not rest:
        return ""
    clean = normpath(sep.join(part for part in (base, rest) if part))
    return clean[1:] if not windows and clean.startswith("//") else clean


def _join_before(token: re.Match[str], base: str, rest: str, windows: bool) -> str:
    """Cleaned up to the folder in which `token` stands: what a `..` behind it leads to is not known yet."""
    sep = "\\" if windows else "/"
    cut = max(rest.rfind("/", 0, token.start()), rest.rfind("\\", 0, token.start())) + 1
    head = _join(base, rest[:cut], windows)
    tail = _SEPARATORS.sub(lambda found: sep if found[0][0] in "\\/" else found[0], rest[cut:])
    return head + tail if not head or head.endswith(sep) else head + sep + tail


class Where(TypedDict):
    """What the tokens of a pipeline stand for."""

    repo: PurePath
    folder: PurePath
    dotenv: Mapping[str, str]
    windows: bool


def resolve_entries(segment: Segment, **where: Unpack[Where]) -> list[ResolvedEntry]:
    """The commands of `segment` with tokens replaced and values as text; a null value leaves the flag alone.

    A list as a value gives one argument per element, which the Go runner could not.
    """
    plain = partial(resolve, **where, items=segment.many is not None)

    def text_of(value: Value) -> str | None:
        return None if value is None else plain(go_text(value))

    entries: list[ResolvedEntry] = []
    for entry in segment.commands:
        if isinstance(entry, FlagMap):
            entries += _flags(entry, text_of)
        else:
            entries.append(plain(entry))
    return entries


def texts_of(segment: Segment, *, flags: bool = False) -> Iterator[tuple[str, str]]:
    """Each text in which tokens are replaced, with the key where it stands, as in Segment.marks; `flags`: those too."""
    for number, entry in enumerate(segment.commands):
        values = (entry,) if isinstance(entry, str) else (v for one in entry.items for v in one[0 if flags else 1 :])
        each = (one for value in values for one in (value if isinstance(value, list) else (value,)))
        yield from ((f"commands.{number}", text) for text in each if isinstance(text, str))
    yield from ((f"env.{name}", value) for name, value in segment.env if isinstance(value, str))
    yield "cwd", segment.cwd
    yield "environment", segment.environment
    for key, patterns in (("outputs", segment.outputs), ("inputs", segment.inputs)):
        for number, pattern in enumerate(patterns):
            yield (f"{key}.{number}" if f"{key}.{number}" in segment.marks else key), pattern
    if segment.many and (foreach := segment.many.foreach):
        yield from (("foreach", text) for text in (foreach.pattern, foreach.csv, *foreach.values))


def entry_keys(segment: Segment) -> list[str]:
    """For each entry that `resolve_entries` makes, the key of the one in the file that it comes from."""
    found = []
    for number, entry in enumerate(segment.commands):
        values = [value for _, value in entry.items] if isinstance(entry, FlagMap) else []
        lists = any(isinstance(value, list) for value in values)
        count = sum(max(len(value), 1) if isinstance(value, list) else 1 for value in values) if lists else 1
        found += [f"commands.{number}"] * count
    return found


def _flags(entry: FlagMap, text_of: Callable[[Value], str | None]) -> list[ResolvedEntry]:
    if not any(isinstance(value, list) for _, value in entry.items):
        return [ResolvedFlags(tuple((key, text_of(value)) for key, value in entry.items))]
    entries: list[ResolvedEntry] = []
    for key, value in entry.items:
        first, *rest = value if isinstance(value, list) and value else [None if isinstance(value, list) else value]
        entries.append(ResolvedFlags(((key, text_of(first)),)))
        entries += [text_of(element) or go_text(element) for element in rest]
    return entries


def resolve_foreach(foreach: Foreach, plain: Callable[[str], str], pattern: Callable[[str], str]) -> Foreach:
    """`foreach` with its tokens replaced: by `pattern` in a glob (folders escaped), else by `plain`."""
    values = tuple(map(plain, foreach.values))
    return Foreach(pattern(foreach.pattern), values, plain(foreach.csv), foreach.count)


def resolve_env(segment: Segment, **where: Unpack[Where]) -> dict[str, str]:
    """The variables of `env:` as text; null is `<nil>`, as the Go runner set it."""
    return {name: resolve(go_text(value), **where, items=segment.many is not None) for name, value in segment.env}
