"""The `.env` file of the repository: NAME=value lines, read as godotenv did, and one value saved."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.errors import PipelineError, StateError
from runner.ground.files import replace_whole
from runner.ground.plain import read_plain
from runner.model import Mark
from runner.pipeline.report import Report
from runner.pipeline.text import decode

_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.\-]*)[ \t]*[=:][ \t]*(?P<rest>.*)", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"(.*)', re.DOTALL)
_SINGLE = re.compile(r"'([^']*)'(.*)", re.DOTALL)
_COMMENT = re.compile(r"[ \t]#.*|^#.*", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)(?::?-(?P<default>[^}]*))?\}|(?P<bare>[A-Za-z_]\w*))", re.ASCII)


def read_dotenv(path: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Names and values; empty where there is no such file. PipelineError with every line that is none of ours.

    A backslash stays a backslash (Windows paths), except before a double quote inside double quotes. `${NAME}` and
    `$NAME` outside single quotes become the value of an earlier line, else of the variable in `environ`.
    """
    report = Report(path)
    values: dict[str, str] = {}
    try:
        data = read_plain(path)
    except FileNotFoundError:
        if not path.is_symlink():
            return values
        report.error(None, f"the file is a link to {path.readlink()}, which is not there", "Correct or remove it.")
        data = b""
    except OSError as error:
        report.error(None, f"the file cannot be read: {error.strerror or error}", "Check its permissions.")
        data = b""
    text = decode(data, report)
    if text is not None:
        read = 0
        while read < len(report.lines):
            read += _read_entry(report.lines[read:], read + 1, values, environ or {}, report)
    if report.errors:
        raise PipelineError(f"{path} is not valid", report.in_order())
    return values


def _read_entry(
    lines: Sequence[str], number: int, values: dict[str, str], environ: Mapping[str, str], report: Report
) -> int:
    """Reads the entry that begins with the first of `lines`, which is line `number`; gives how many lines it has."""
    line = lines[0]
    bare = line.strip()
    if not bare or bare.startswith("#"):
        return 1
    match = _LINE.fullmatch(line)
    column = len(line) - len(line.lstrip()) + 1
    if not match:
        report.error(
            Mark(number, column, len(bare)),
            "this line is no `NAME=value`",
            "Write NAME=value, with a name of letters, digits and `_`; or begin the line with # for a comment.",
        )
        return 1
    rest = match["rest"].rstrip()
    mark = Mark(number, match.start("rest") + 1, max(1, len(rest)))
    for count in range(1, len(lines) + 1):
        value = _value("\n".join([match["rest"], *lines[1:count]]).rstrip())
        if value is not None:
            values[match["name"]] = value if rest.startswith("'") else _filled_in(value, values, environ, mark, report)
            return count
    report.error(
        mark,
        f"the quotes around the value of {match['name']} do not match",
        "Close the quote at the end of the value, or leave both out.",
    )
    return 1


def _filled_in(text: str, values: Mapping[str, str], environ: Mapping[str, str], mark: Mark, report: Report) -> str:
    def value_of(match: re.Match[str]) -> str:
        name = match["braced"] or match["bare"]
        found = values.get(name, environ.get(name, match["default"]))
        if found is None and match["braced"]:
            report.error(
                mark,
                f"there is no {name} for `{match[0]}`",
                f"Write {name}=VALUE in a line above; or put the value in single quotes, to keep it as it is.",
            )
        return match[0] if found is None else found  # a password or a share may have a bare `$`

    return _VARIABLE.sub(value_of, text)


def _value(rest: str) -> str | None:
    """The value in what stands behind `=`; None when a quote is not closed."""
    for quoted, is_double in ((_DOUBLE, True), (_SINGLE, False)):
        if match := quoted.fullmatch(rest):
            after = match[2].strip()
            if not after or after.startswith("#"):
                return match[1].replace('\\"', '"') if is_double else match[1]
    if rest[:1] in ("'", '"'):
        # "C:\data\": the last quote closes, although a backslash stands before it
        inner = rest[1:-1]
        return inner if len(rest) > 1 and rest[-1] == rest[0] and rest[0] not in inner else None
    return _COMMENT.sub("", rest).strip()


def save_dotenv_value(path: Path, key: str, value: str) -> None:
    """Sets `key` in the file, or appends it; every other line stays as it is. StateError when that is not possible."""
    try:
        data = read_plain(path) if path.exists() else b""
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            data = data.decode("utf-16").encode()
        bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        lines = data[len(bom) :].splitlines(keepends=True)
        end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
        new = f"{key}={_written(value)}".encode()
        if value != _value(_written(value)) or (_VARIABLE.search(value) and not _written(value).startswith("'")):
            raise StateError(f"{path} cannot hold {value}: it has both `'` and `$`", "Use a folder without them.")
        place = [number for number, line in enumerate(lines) if _names(line, key)]
        if place:
            lines[place[-1]] = new + end
        else:
            if lines and not lines[-1].endswith((b"\n", b"\r")):
                lines[-1] += end
            lines.append(new + end)
        replace_whole(path, bom + b"".join(lines), through_link=True)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StateError(
            f"{path} cannot be written: {reason}",
            f"Add this line to it yourself: {key}={_written(value)}",
        ) from None


def _names(line: bytes, key: str) -> bool:
    match = _LINE.fullmatch(line.decode("utf-8", "replace").rstrip("\r\n"))
    return match is not None and match["name"] == key


def _written(value: str) -> str:
    """`value` so that `read_dotenv` gives it back."""
    if value == value.strip() and not re.search(r"""^['"]|[ \t]#|^#|\$""", value):
        return value
    return f"'{value}'" if "'" not in value else '"' + value.replace('"', '\\"') + '"'
