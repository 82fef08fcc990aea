"""A store: uv's cache, its Pythons and our environments on a disk that several computers share.

`STORE/store.json` says what it is. Environments lie in a folder for each system, so that one store serves several.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from runner.errors import EnvironmentMissing
from runner.frozen import frozen
from runner.ground.disk import on_disk
from runner.ground.files import state_errors
from runner.ground.plain import read_plain
from runner.ground.told import read_json, write_json
from runner.host import Host

NAME = "store.json"
FORMAT = 1
LINKS = "links"  # of store.json: by system, whether files in the cache can have a second name in an environment
VARIABLE = "RUN_PIPELINE_STORE"
_SYSTEMS = {"win32": "windows", "darwin": "macos"}


@frozen
class Store:
    """Where its parts are; each may lie elsewhere than in `folder`."""

    folder: PurePath
    cache: PurePath
    pythons: PurePath
    environments: PurePath  # holds a folder for each system: see `platform_folder`


def store_at(
    folder: PurePath,
    *,
    cache: PurePath | None = None,
    pythons: PurePath | None = None,
    environments: PurePath | None = None,
) -> Store:
    """With the parts that are named elsewhere."""
    return Store(
        folder, cache or folder / "cache", pythons or folder / "pythons", environments or folder / "environments"
    )


def machine(host: Host) -> str:
    """The processor, as the system calls it: x86_64, AMD64, arm64."""
    if host.windows:
        return host.environ.get("PROCESSOR_ARCHITECTURE", "AMD64")
    return os.uname().machine if hasattr(os, "uname") else ""


def platform_folder(host: Host) -> str:
    """The folder of this system's environments: linux-x86_64, windows-amd64, macos-arm64."""
    return f"{_SYSTEMS.get(host.platform, host.platform)}-{machine(host).lower()}"


def variables(store: Store, host: Host) -> Mapping[str, str]:
    """What uv and what it starts are to go by."""
    return {
        "UV_CACHE_DIR": str(store.cache),
        "UV_PYTHON_INSTALL_DIR": str(store.pythons),
        "UV_LINK_MODE": link_mode(store, host),
    }


def link_mode(store: Store, host: Host) -> str:
    """How files get from the cache into an environment: as names of the same file where that is possible.

    Never as links to the cache: who cleans that would break every environment.
    """
    cache = on_disk(host.path(host.environ.get("UV_CACHE_DIR") or store.cache))
    same = _device(cache) == _device(on_disk(store.environments))
    links = (read_json(on_disk(store.folder / NAME)) or {}).get(LINKS)
    tried = links.get(platform_folder(host), True) if isinstance(links, dict) else True
    return "hardlink" if same and tried else "copy"


def note_store(folder: PurePath, **more: Any) -> None:
    """Write store.json where there is none yet, or with `more` in it. Raises StateError."""
    path = on_disk(folder / NAME)
    old = read_json(path) or {}
    made = datetime.now().astimezone().isoformat(timespec="seconds")
    told = {"format": FORMAT, "what": "a store of run-pipeline: docs/shared-storage.md", "made": made} | old | more
    if told != old:
        with state_errors("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, told)


def read_store(folder: PurePath) -> Mapping[str, Any]:
    """What store.json says. Raises EnvironmentMissing where there is no store: its share may not be there."""
    path = on_disk(folder / NAME)
    try:
        told = json.loads(read_plain(path))
        form = told["format"]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise EnvironmentMissing(
            f"there is no store in {folder}",
            f'Check that the share is mounted. Where none was made yet: run-pipeline env --store "{folder}"',
        ) from error
    except OSError as error:
        raise EnvironmentMissing(
            f"the store in {folder} cannot be read: {error.strerror or error}",
            "Check that the share is there, and that you may read it.",
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise EnvironmentMissing(
            f"{path} is damaged", "Move it away and run `run-pipeline env --store`; what is in the store stays."
        ) from error
    if form != FORMAT:
        raise EnvironmentMissing(
            f"the store in {folder} is of a newer run-pipeline (format {form})",
            "Update this one, or use another store.",
        )
    return dict(told)


def _device(folder: Path) -> int | None:
    """That of the folder, or of what is there above it."""
    for one in (folder, *folder.parents):
        try:
            return one.stat().st_dev
        except OSError:
            continue
    return None
