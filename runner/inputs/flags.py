"""What the arguments of a segment name: where it writes, as far as flags tell, and what it may read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from runner.model import ResolvedEntry, ResolvedFlags

# --output-folder, --out_dir, --save-path, -o ...; not --output-suffix and the like
FLAG = re.compile(
    r"--?(o|out|outputs?|save|dest|destination|results?)"
    r"([-_]?(dir|directory|folder|path|to|root|file|(file[-_]or[-_]folder)|csv|tsv|tif|image|mask|table|yaml|json))?",
    re.IGNORECASE,
)
# what changes by itself and is no input: --cache-dir, LOG_FOLDER, TMPDIR
_PASSING = re.compile(
    r"(?<![a-z])(cache|temp|tmp|logs?|work(ing)?|scratch|out|output|home)(dir|file|folder|path)?(?![a-z])",
    re.IGNORECASE,
)
# not a notebook or a project of ilastik: these are written when they run
_SCRIPT = re.compile(r"\.(py|pyw|ijm|groovy|bsh|js|r|jl|m|pl|lua|sh|bash|bat|cmd|ps1|cppipe)", re.IGNORECASE)
_LONGEST = 4096


def output_values(entries: Sequence[ResolvedEntry]) -> list[str]:
    """The values of the flags that name an output."""
    out = []
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        if isinstance(entry, ResolvedFlags):
            out += [value for flag, value in entry.items if value and FLAG.fullmatch(flag)]
        elif isinstance(following, str) and FLAG.fullmatch(entry) and not following.startswith("-"):
            out.append(following)
        elif "=" in entry and FLAG.fullmatch(entry.partition("=")[0]):
            out.append(entry.partition("=")[2])
    return out


def is_script(name: str) -> bool:
    """Whether the file is a program's text: no run changes it, people do."""
    return bool(_SCRIPT.fullmatch(name[name.rfind(".") :]))


def values_read(entries: Sequence[ResolvedEntry], env: Mapping[str, str]) -> Iterator[str]:
    """Each text among the arguments that may be the path or the pattern of an input."""
    for place, name, value in flags_and_values(entries):
        # the program itself is no input, but a script or a line of the shell is
        if _may_be(value, name) and (place or is_script(value) or " " in value):
            yield value
    yield from (value for name, value in env.items() if _may_be(value, name))


def flags_and_values(entries: Sequence[ResolvedEntry]) -> Iterator[tuple[int, str, str]]:
    """Each value with its place among the entries and the flag that it belongs to ("": none)."""
    flag = ""
    for place, entry in enumerate(entries):
        if isinstance(entry, ResolvedFlags):
            pairs, flag = entry.items, ""
        elif entry.startswith("-"):
            name, sign, glued = entry.partition("=")
            pairs, flag = ((name, glued),), "" if sign else name
        else:
            pairs, flag = ((flag, entry),), ""
        yield from ((place, name, value) for name, value in pairs if value)


def _may_be(value: str, name: str) -> bool:
    """Whether the value of this flag or variable may name an input."""
    ours = FLAG.fullmatch(name) or _PASSING.search(name)
    return not ours and 0 < len(value) <= _LONGEST and not any(sign in value for sign in "\n\0")


def pieces(text: str, *, windows: bool) -> list[str]:
    """What may be a path in a line of the shell, a list (`a.tif;b.tif`), or the words for ImageJ (`input=[C:/raw]`)."""
    import shlex

    try:
        words = [word.strip("\"'") for word in shlex.split(text, posix=not windows)]
    except ValueError:
        words = []
    lists = [] if windows else text.split(":")
    out = []
    for piece in (*words, *text.split(";"), *text.split(","), *lists, *re.split(r"[\s,;'\"\[\]()]+", text)):
        name, sign, value = piece.partition("=")
        if not (sign and FLAG.fullmatch(f"--{name}")):
            out += [piece, value.strip("'\"[]")] if sign else [piece]
    return [piece.strip() for piece in dict.fromkeys(out) if piece.strip()]
