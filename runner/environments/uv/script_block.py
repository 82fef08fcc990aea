"""The block at the top of a script that names its packages (PEP 723, "Inline script metadata")."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePath

from runner.errors import EnvironmentMissing
from runner.ground.disk import on_disk

EXAMPLE = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["numpy"]\n# ///'
# what uv says of a block that is TOML but not right; its lines count from the one behind `# /// script`
NOT_VALID = re.compile(
    r"error: TOML parse error at line (?P<line>\d+), column \d+\n(?:[^\n]*\|[^\n]*\n)+(?P<why>[^\n]+)"
)
_BLOCK = re.compile(r"(?m)^# /// script\r?\n(?P<content>(?:^#(?:| .*)\r?\n)+?)^# ///\r?$")
_MEANT = re.compile(r"(?m)^[ \t]*#[ \t]*///[ \t]*script\b")
_LOCAL = re.compile(r"(?m)\bpath\s*=")


def metadata(path: PurePath) -> str:
    """The block's text. Raises EnvironmentMissing when there is none, or two, or it is no TOML."""
    import tomllib

    text = _text(path)
    blocks = list(_BLOCK.finditer(text))
    if not blocks and (meant := _MEANT.search(text)):
        line = text.count("\n", 0, meant.start()) + 1
        raise EnvironmentMissing(
            f"what begins in line {line} of {path} is no whole `# /// script` block",
            "Nothing stands before its signs or behind `script`; each line begins with `# `, an empty one with `#`; "
            f"the last is `# ///`, with no blank behind:\n{EXAMPLE}",
        )
    if len(blocks) != 1:
        raise EnvironmentMissing(
            f"{path} has {'no' if not blocks else 'more than one'} `# /// script` block",
            f"`environment: script` takes the packages from such a block at the top of the script:\n{EXAMPLE}",
        )
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(True))
    try:
        tomllib.loads(content.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = re.sub(r"(?<=at line )\d+", lambda found: str(int(found[0]) + first_line(path)), str(error))
        raise EnvironmentMissing(
            f"the `# /// script` block of {path} is not valid TOML: {said}", f"Correct it; an example:\n{EXAMPLE}"
        ) from error
    if has_mark(path) and _LOCAL.search(content):
        raise EnvironmentMissing(
            f"{path} begins with a byte-order mark, behind which uv does not see its block",
            "Save it as UTF-8 without that mark (editors call it `BOM` or `signature`).",
        )
    return content


def wanted_python(path: PurePath) -> str:
    """Which Pythons the block allows, "" where it does not say. Raises EnvironmentMissing as `metadata` does."""
    import tomllib

    return str(tomllib.loads(metadata(path).replace("\r\n", "\n")).get("requires-python", ""))


def has_mark(path: PurePath) -> bool:
    """Whether the file begins with a byte-order mark, as Windows' editors write it."""
    with on_disk(path).open("rb") as file:
        return file.read(3) == codecs.BOM_UTF8


def first_line(path: PurePath) -> int:
    """The number of the line that opens the block."""
    text = _text(path)
    found = _BLOCK.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else 0


def as_comment(block: str) -> str:
    """A script of this block alone."""
    lines = "".join(f"# {line}".rstrip() + "\n" for line in block.splitlines())
    return f"# /// script\n{lines}# ///\n"


def _text(path: PurePath) -> str:
    try:
        return on_disk(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise EnvironmentMissing(f"{path} cannot be read: {error.strerror}", "Check its rights.") from error
    except UnicodeDecodeError as error:
        raise EnvironmentMissing(f"{path} is not UTF-8 (byte {error.start})", "Save it as UTF-8.") from error
