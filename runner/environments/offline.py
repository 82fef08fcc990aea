"""Whether the network is left alone, and who says so."""

from __future__ import annotations

from pathlib import Path

from runner.environments.site import Once, Site
from runner.environments.uv.files import personal_files
from runner.environments.uv.variables import flag_is_set
from runner.ground.disk import on_disk

VARIABLE = "UV_OFFLINE"  # as it is put in force: uv and all that is started hear it
OPTION = "--offline"


@Once
def offline(site: Site) -> str:
    """Who says so: `--offline`, UV_OFFLINE, `offline = true in FILE`; "" where the network may be used.

    The command line counts more than the variable, and that more than a file, also where it says no. Of the first and
    of run-pipeline.toml those tell who read them (`runner.cli.common`).
    """
    if site.host.environ.get(VARIABLE):
        return VARIABLE if flag_is_set(site.host.environ, VARIABLE) else ""
    return said_in(_uv_file(site))


def said_in(file: Path | None) -> str:
    """The reason that a file gives; "" where there is none."""
    return f"offline = true in {file}" if file else ""


def _uv_file(site: Site) -> Path | None:
    """The uv.toml, or the pyproject.toml, that says it: as with uv the nearest that says anything of it."""
    repo = on_disk(site.repo)
    for path in (repo / "uv.toml", repo / "pyproject.toml", *personal_files(site)):
        said = _says(path)
        if said is not None:
            return path if said else None
    return None


def _says(path: Path) -> bool | None:
    """What is wrong with the file, others tell."""
    try:
        data = path.read_bytes()
        if b"offline" not in data:
            return None  # nearly always: it is not even parsed
        import tomllib

        table = tomllib.loads(data.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    for key in ("tool", "uv") if path.name == "pyproject.toml" else ():
        inner = table.get(key)
        table = inner if isinstance(inner, dict) else {}
    return table["offline"] is True if "offline" in table else None
