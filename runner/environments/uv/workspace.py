"""The uv workspace that a repository belongs to: uv keeps one uv.lock for all its members, in its root."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from runner.errors import EnvironmentMissing
from runner.ground.patterns import fits

Table = dict[str, Any]


def workspace_root(repo: Path) -> Path:
    """The folder of uv.lock: `repo`, or the one above whose [tool.uv.workspace] has `repo` among its members.

    As uv does, looks at the nearest pyproject.toml above alone. Raises EnvironmentMissing when that is no TOML, or
    when that of `repo` is not.
    """
    own = repo / "pyproject.toml"
    if not own.is_file() or "workspace" in uv_table(load_project(own)):
        return repo
    outer = next((path for folder in repo.parents if (path := folder / "pyproject.toml").is_file()), None)
    workspace = uv_table(load_project(outer)).get("workspace") if outer else None
    if outer is None or not isinstance(workspace, dict):
        return repo
    relative = repo.relative_to(outer.parent)
    place = relative.as_posix()
    member = any(fits(relative.parts, pattern.split("/")) for pattern in _patterns(workspace, "members"))
    excluded = any(fnmatchcase(place, pattern) for pattern in _patterns(workspace, "exclude"))
    return outer.parent if member and not excluded else repo


def load_project(path: Path) -> Table:
    """A pyproject.toml that is there. Raises EnvironmentMissing when it cannot be read."""
    return load_toml(path, f"Correct that line of {path}: uv reads the file, too.")


def load_toml(path: Path, cure: str) -> Table:
    """Raises EnvironmentMissing, with `cure` where the text is wrong. Nobody changes what is in it."""
    import tomllib

    try:
        info = path.stat()
        return _loaded(path, info.st_mtime_ns, info.st_size)
    except FileNotFoundError as error:
        raise EnvironmentMissing(f"there is no {path.name} in {path.parent}", cure) from error
    except OSError as error:
        raise EnvironmentMissing(f"{path} cannot be read: {error.strerror}", "Check that you may read it.") from error
    except UnicodeDecodeError as error:
        raise EnvironmentMissing(f"{path} is not UTF-8 (byte {error.start})", "Save it as UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise EnvironmentMissing(f"{path} is not valid TOML: {error}", cure) from error


@lru_cache(maxsize=16)
def _loaded(path: Path, changed_ns: int, size: int) -> Table:
    """Kept as long as the file is the same; a uv.lock of a megabyte takes 30 ms otherwise, for each group."""
    import tomllib

    return tomllib.loads(path.read_bytes().decode("utf-8-sig"))  # uv takes a byte-order mark, too


def uv_table(data: Table) -> Table:
    """[tool.uv] of a pyproject.toml, {} where there is none."""
    tool = data.get("tool", {})
    uv = tool.get("uv", {}) if isinstance(tool, dict) else {}
    return uv if isinstance(uv, dict) else {}


def _patterns(workspace: Table, key: str) -> list[str]:
    patterns = workspace.get(key, [])
    return [str(text).removeprefix("./").rstrip("/") for text in patterns] if isinstance(patterns, list) else []
