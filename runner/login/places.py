"""Which folder there is which folder here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from runner.login import names
from runner.login.line import Refusal, Remote


@dataclass(frozen=True)
class Places:
    """The repository is the lab's folder there; the folder of a pipeline outside it lies below `data/COMPUTER`."""

    repo: PurePath
    folder: PurePath  # of the pipeline file
    computer: str  # this one's name
    base: str  # the lab's folder there, absolute

    def there(self, path: PurePath) -> str | None:
        """Where a path lies below `base`, with slashes; None where it is in neither folder of ours."""
        if (inside := names.below(path, self.repo)) is not None:
            return inside
        if (inside := names.below(path, self.folder)) is not None:
            return "/".join(part for part in (names.as_data(self.folder, self.computer), inside) if part)
        return None

    def here(self, path: str) -> Path | None:
        """The other way round."""
        if names.below(self.folder, self.repo) is None:
            data = names.as_data(self.folder, self.computer)
            if path == data or path.startswith(data + "/"):
                return Path(self.folder, *path[len(data) :].strip("/").split("/"))
        return Path(self.repo, *path.split("/"))

    def absolute(self, path: PurePath) -> str:
        """As the other end writes it. The path must lie in one of the two folders."""
        return "/".join((self.base, self.there(path) or ""))


def find_folder(remote: Remote) -> str:
    """The lab's folder on the cluster, absolute. Raises Lost, Refusal."""
    return str(remote.call({"op": "where", "base": remote.cluster.folder})["folder"])


def make_folder(remote: Remote) -> str:
    """The lab's folder on the cluster, made where it is missing and tried. Raises Refusal, Lost."""
    try:
        return str(remote.call({"op": "writable", "base": remote.cluster.folder})["folder"])
    except Refusal as error:
        if remote.cluster.folder not in error.message:
            error.message += f" (folder {remote.cluster.folder})"
        raise
