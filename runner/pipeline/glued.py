"""A flag and its value that YAML took for one text: `--flag:'x'`, `--flag='x'`, `--flag x`."""

from __future__ import annotations

import re

from runner.pipeline.report import quoted

# a blank, a colon with a quote, a token or a blank behind it, or `=` with a quote: no program has such flags
_GLUED = re.compile(r"(?s)(--?[A-Za-z][\w-]*)(?:\s*:\s*(?=['\"%])|\s*=\s*(?=['\"])|\s*:\s+|\s+)(\S.*)")


def mended(text: str) -> tuple[str, str] | None:
    """The flag and its value, in YAML's quotes, as they were probably meant; None where `text` is as it should be."""
    match = _GLUED.fullmatch(text) if text.startswith("-") else None
    if match is None:
        return None
    value = match[2].strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return match[1], quoted(value)
