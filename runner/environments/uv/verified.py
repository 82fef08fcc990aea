"""Whether an environment runs at its place, and from there alone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from runner.environments.site import Site
from runner.environments.uv.binary import find_uv
from runner.environments.uv.stamp import interpreter
from runner.environments.uv.variables import unwanted
from runner.errors import StateError

SMALL = 1 << 20  # bytes of a text that is looked through
_ASK = "import json, sys; print(json.dumps([sys.prefix, [sys.base_prefix, *sys.path]]))"
_TEXTS = ("pyvenv.cfg", "bin/*", "Scripts/*", "lib/python*/site-packages/*.pth", "Lib/site-packages/*.pth")


def verify(folder: Path, old: Collection[str], target: Path, site: Site) -> None:
    """Its Python starts, its packages fit together, and nothing names one of the `old` places. Raises StateError."""
    starts(folder, old, target, site)
    for path in (path for pattern in _TEXTS for path in folder.glob(pattern)):
        if not path.is_symlink() and path.is_file() and path.stat().st_size < SMALL:
            text = path.read_bytes().decode("utf-8", "replace")
            _is_free_of(text, path.relative_to(folder).as_posix(), old, target)
    python = str(interpreter(folder, site.host))
    _asked([find_uv(site).path, "pip", "check", "--no-config", "--python", python], site)


def starts(folder: Path, old: Collection[str], target: Path, site: Site) -> None:
    """Raises StateError."""
    said = _asked([str(interpreter(folder, site.host)), "-I", "-c", _ASK], site)
    try:
        prefix, places = json.loads(said)
    except ValueError:
        raise StateError(f"its Python starts, and says {said[:200]!r}") from None
    if os.path.realpath(prefix) != os.path.realpath(folder):
        raise StateError(f"its Python takes {prefix} for its environment")
    for place in places:
        _is_free_of(place, "sys.path", old, target)


def _asked(argv: Sequence[str], site: Site) -> str:
    left_out = unwanted(site.host.environ)
    environ = {name: value for name, value in site.host.environ.items() if name not in left_out}
    answer = site.host.capture(argv, env=environ, timeout=300.0)
    said = answer.stdout.decode("utf-8", "replace").strip()
    if answer.code != 0:
        why = answer.error or answer.stderr.decode("utf-8", "replace").strip() or said
        raise StateError(f"it does not run there: {' '.join(why[-500:].split())}")
    return said


def _is_free_of(text: str, where: str, old: Collection[str], target: Path) -> None:
    text = text.replace(str(target), "")
    for place in old:
        if re.search(re.escape(place) + r"(?![\w.-])", text):
            raise StateError(f"{where} still names {place}")
