"""Which Pythons uv may take as the base of a virtual environment."""

from __future__ import annotations

from dataclasses import replace

from runner.ground.disk import is_folder
from runner.host import Host
from runner.model import Command


def without_conda(host: Host) -> dict[str, str]:
    """PATH without the folders of conda's and pixi's Pythons, active or not; {} where there are none.

    What is made on such a Python breaks when its environment is changed or removed, and on Windows lacks the DLLs that
    activation brings.
    """
    name = next((name for name in host.environ if name.upper() == "PATH"), "PATH") if host.windows else "PATH"
    separator = ";" if host.windows else ":"
    folders = host.environ.get(name, "").split(separator)
    kept = [folder for folder in folders if not folder or not _is_condas(folder, host)]
    return {} if kept == folders else {name: separator.join(kept)}


def with_conda(command: Command, host: Host) -> tuple[Command, ...]:
    """The same with all of PATH, where that failed without: no other Python is there, or git, or a compiler."""
    dropped = without_conda(host)
    if not dropped:
        return ()
    return (replace(command, env={name: value for name, value in command.env.items() if name not in dropped}),)


def _is_condas(folder: str, host: Host) -> bool:
    path = host.path(folder.strip('"'))
    return is_folder(path / "conda-meta") or (path.name == "bin" and is_folder(path.parent / "conda-meta"))
