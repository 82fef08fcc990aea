"""The uv.toml files of a user and a machine: they may say how packages get here, never which.

uv mixes them into every call, so that a mirror there makes a good uv.lock look out of date. Where there is one, uv is
given a stand-in by `--config-file`: the repository's own settings, and of the others those in PERSONAL.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.environments.offline import offline
from runner.environments.site import Once, Site
from runner.environments.uv.binary import find_uv
from runner.environments.uv.files import personal_files
from runner.environments.uv.groups import lock_file
from runner.environments.uv.variables import no_git, unwanted
from runner.environments.uv.workspace import Table, load_project, load_toml, uv_table
from runner.errors import EnvironmentMissing
from runner.ground.disk import on_disk
from runner.host import Captured

# the settings of a user's uv.toml that count: as uv_variables.ALLOWED
PERSONAL = frozenset(
    (
        "allow-insecure-host", "cache-dir", "compile-bytecode", "concurrent-builds", "concurrent-downloads",
        "concurrent-installs", "graalpy-install-mirror", "http-proxy", "https-proxy", "keyring-provider", "link-mode",
        "native-tls", "no-proxy", "offline", "pyodide-install-mirror", "pypy-install-mirror", "python-downloads",
        "python-downloads-json-url", "python-install-mirror", "python-preference", "system-certs",
    )
)  # fmt: skip
# of [tool.uv]: what uv reads from pyproject.toml in any case, and refuses in a uv.toml
_PROJECT_ONLY = frozenset(
    (
        "build-backend", "conflicts", "default-groups", "dependency-groups", "dev-dependencies", "environments",
        "managed", "minimum-libc-version", "package", "required-environments", "sources", "workspace",
    )
)  # fmt: skip

_OFF = ("never", "manual", "false")  # of python-downloads
# of the caller's variables: those that `uv lock` would put into uv.lock
LOCKED_IN = (
    "UV_DEFAULT_INDEX", "UV_EXCLUDE_NEWER", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_FORK_STRATEGY", "UV_INDEX",
    "UV_INDEX_URL", "UV_NO_INDEX", "UV_PRERELEASE", "UV_RESOLUTION",
)  # fmt: skip

INDEXES = ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL")
_INDEX_KEYS = frozenset(("extra-index-url", "index", "index-url"))


@dataclass(frozen=True)
class Settings:
    """What uv is to go by. `stand_in`: of `table`; otherwise uv finds its files itself."""

    table: Table
    files: tuple[Path, ...] = ()  # the uv.toml files that uv would take into account
    stand_in: bool = False
    note: str = ""  # for the user, where these are taken

    def text(self, root: Path, folder: Path) -> str:
        """As a uv.toml in `folder`; relative paths stay relative, because uv writes them so into uv.lock."""
        import tomlkit

        heads = "".join(f"# made of {path}\n" for path in (root / "pyproject.toml", *self.files))
        return heads + tomlkit.dumps(_moved(self.table, root, folder))


def settings(site: Site, project: Path | None = None, script: str = "") -> Settings:
    """The first of the candidates that uv.lock is in step with, asked once an invocation; else the first.

    `project`: the same candidate, with the settings of a copy of the repository's files there. `script`: by the lock
    of that script.
    """
    found = _candidates(site, _root(site))
    number = _chosen(site, script) if len(found) > 1 else 0
    found = found if project is None else _candidates(site, project)
    return found[min(number, len(found) - 1)]


@Once
def _chosen(site: Site, script: str) -> int:
    found = _candidates(site, _root(site))
    number = next((n for n, one in enumerate(found) if _in_step(one, site, script)), 0)
    if found[number].note:
        site.notes.add(found[number].note)
    return number


def options(site: Site, script: str = "") -> tuple[str, ...]:
    """For a uv that installs or checks: the stand-in, which `write_stand_in` writes; nothing where none is needed."""
    found = settings(site, script=script)
    return ("--config-file", str(_stand_in(found, site)[0])) if found.stand_in else ()


def has_files(site: Site) -> bool:
    """Whether uv would find a uv.toml; no, where a pyproject.toml cannot be read, which `check` tells."""
    try:
        return len(_candidates(site, _root(site))) > 1
    except EnvironmentMissing:
        return False


def downloads_off(site: Site) -> str:
    """What keeps uv from fetching a Python: the name of a variable or a file; "" when it may."""
    environ = site.host.environ
    if why := offline(site):
        return why
    if setting := environ.get("UV_PYTHON_DOWNLOADS"):
        return "UV_PYTHON_DOWNLOADS" if setting.lower() in _OFF else ""
    found = settings(site)
    if str(found.table.get("python-downloads", "")).lower() in _OFF:
        return " or ".join(map(str, found.files)) or str(_root(site) / "pyproject.toml")
    return ""


def own_indexes(site: Site) -> tuple[str, ...]:
    """The user's variables and files that name an index to download from."""
    variables = [name for name in INDEXES if site.host.environ.get(name)]
    files = [str(path) for path, table in personal_tables(site) if _INDEX_KEYS & table.keys()]
    return (*variables, *files)


def personal_tables(site: Site) -> Iterator[tuple[Path, Table]]:
    """The uv.toml files that uv would take into account, as far as they can be read."""
    for path in settings(site).files:
        if table := _table(path, site):
            yield path, table


def settings_apart(site: Site, script: str = "") -> list[str]:
    """The files and variables that are not the repository's, and that a plain `uv lock` or `uv add` would go by."""
    variables = [name for name in LOCKED_IN if site.host.environ.get(name)]
    return [*map(str, settings(site, script=script).files), *variables]


def lock_command(site: Site, *, script: str = "", uv: str = "uv") -> str:
    """How uv.lock, or the lock of a script, is brought up to date, for a sentence with "run"."""
    apart = settings_apart(site, script)
    words = f'lock --script "{script}"' if script else "lock"
    if not apart:
        return f"`{uv} {words}`" if script else f"`{uv} {words}` in {_root(site)}"
    names, file = " and ".join(apart), "that script's lock" if script else "uv.lock"
    return f"`run-pipeline env {words}` (`uv lock` alone would put what {names} says into {file})"


def write_stand_in(site: Site, script: str = "") -> None:
    """Under the name that `options` gave."""
    from runner.ground.files import write_atomic

    found = settings(site, script=script)
    if found.stand_in:
        path, text = _stand_in(found, site)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())


def ask_uv(
    words: Sequence[str],
    site: Site,
    *,
    timeout: float = 30.0,
    script: str = "",
    apart: bool = True,
    more: Mapping[str, str] | None = None,
) -> Captured:
    """A question to uv with the variables and settings that a preparation would have; leaves nothing behind.

    `apart`: from what the user's own settings say of packages, as all that goes by a lock. `more`: variables.
    """
    found = settings(site, script=script) if apart else Settings({})
    return _ask(words, found, site, timeout=timeout, more=more or {}, kept=() if apart else ("UV_FIND_LINKS",))


@contextmanager
def temporary_options(found: Settings, root: Path) -> Iterator[tuple[str, ...]]:
    """As `options`, for the project in `root`, with a stand-in that is removed afterwards."""
    if not found.stand_in:
        yield ()
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="run-pipeline-uv-", ignore_cleanup_errors=True) as name:
        path = Path(name).resolve() / "uv.toml"
        path.write_text(found.text(root, path.parent), encoding="utf-8")
        yield ("--config-file", str(path))


def clean(environ: Mapping[str, str], keep: Collection[str] = ()) -> dict[str, str]:
    """`environ` less what a command of uv is started without, or a lock must not depend on, for output read by us.

    COLUMNS too: uv would fold its reasons at that width, also inside the name of a group. `keep`: in spite of that.
    """
    dropped = {*unwanted(environ), *LOCKED_IN, "COLUMNS", "RUST_LOG", "UV_LOG_CONTEXT"} - set(keep)
    kept = {name: value for name, value in environ.items() if name not in dropped} | no_git(environ)
    return {**kept, "UV_NO_PROGRESS": "1", "UV_NO_WRAP": "1"}


def _candidates(site: Site, root: Path) -> list[Settings]:
    """The repository's settings alone; with its uv.toml, which to uv takes the place of [tool.uv]; all that uv finds.

    One where there is no uv.toml at all: uv is then started as ever.
    """
    own = root / "uv.toml"
    files = personal_files(site) + _above(_root(site))
    if own.is_file():
        files = [own, *files]
    if not files:
        return [Settings(_tool_uv(root))]
    readable = {path: table for path in files if (table := _table(path, site)) is not None}
    personal = [table for path, table in readable.items() if path != own]
    tables = [*([readable[own]] if own in readable else []), _tool_uv(root)]
    found = [Settings(_with_personal(table, personal), tuple(files), stand_in=True) for table in tables]
    note = f"uv does not take what {' or '.join(map(str, readable))} says; it is left out"
    bare = Settings(tables[-1], tuple(files), stand_in=True, note=note)
    return [*found, bare, Settings(found[0].table, tuple(files))]


def _above(root: Path) -> list[Path]:
    """Of the folders above: uv takes the nearest where the repository has no settings of its own."""
    if _tool_uv(root) or (root / "uv.toml").is_file():
        return []
    return [path for folder in root.parents if (path := folder / "uv.toml").is_file()][:1]


def _tool_uv(root: Path) -> Table:
    project = root / "pyproject.toml"
    table = uv_table(load_project(project)) if project.is_file() else {}
    return {key: value for key, value in table.items() if key not in _PROJECT_ONLY}


def _with_personal(table: Table, others: Sequence[Table]) -> Table:
    found = dict(table)
    for other in others:
        for key in PERSONAL & other.keys():
            have = found.setdefault(key, other[key])
            if isinstance(have, list) and have is not other[key]:
                found[key] = [*have, *other[key]]
    return found


def _table(path: Path, site: Site) -> Table | None:
    """A uv.toml; None, with a note, where it cannot be read."""
    try:
        return load_toml(path, "")
    except EnvironmentMissing as error:
        site.notes.add(f"{error.message}; its settings for uv are left out")
        return None


def _in_step(found: Settings, site: Site, script: str) -> bool:
    of = ("--script", script) if script else ("--project", str(site.repo))
    return _ask(("lock", "--check", "--offline", *of), found, site).code == 0


def _ask(
    words: Sequence[str],
    found: Settings,
    site: Site,
    *,
    timeout: float = 30.0,
    more: Mapping[str, str] | None = None,
    kept: Collection[str] = (),
) -> Captured:
    program = find_uv(site).path
    env = clean(site.host.environ, kept) | dict(more or {})
    with temporary_options(found, _root(site)) as stand_in:
        return site.host.capture([program, *words, *stand_in], env=env, cwd=str(site.repo), timeout=timeout)


def _root(site: Site) -> Path:
    return lock_file(on_disk(site.repo)).parent


def _stand_in(found: Settings, site: Site) -> tuple[Path, str]:
    folder = on_disk(site.environments / ".uv")
    text = found.text(_root(site), folder)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.toml", text


def _moved(table: Table, root: Path, folder: Path) -> Table:
    """With the relative addresses of indexes as they are from `folder`."""

    def moved(url: Any) -> Any:
        if not isinstance(url, str) or "://" in url or os.path.isabs(url):  # noqa: PTH117
            return url
        try:
            return Path(os.path.relpath(root / url, folder)).as_posix()
        except ValueError:  # Windows: on another drive
            return (root / url).as_posix()

    out = dict(table)
    for key in ("index-url", "extra-index-url", "find-links"):
        if key in out:
            out[key] = [moved(url) for url in out[key]] if isinstance(out[key], list) else moved(out[key])
    if isinstance(out.get("index"), list):
        out["index"] = [{**one, "url": moved(one.get("url"))} for one in out["index"]]
    return out
