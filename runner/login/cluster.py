"""Which cluster is meant: `[clusters.NAME]` of the site file, seen through before anything is started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath

from runner.errors import UsageError
from runner.host import Host
from runner.site_file import NAME, ClusterSettings, places, read_site_file

_GOOD = re.compile(r"[\w][\w.-]{0,60}")  # it becomes part of a file's name


def find_cluster(name: str, repo: PurePath, host: Host) -> ClusterSettings:
    """Raises UsageError."""
    clusters = read_site_file(repo, host).clusters
    if name not in clusters:
        raise UsageError(f"there is no cluster {name}", _how(name, clusters, repo, host))
    check(clusters[name])
    return clusters[name]


def check(cluster: ClusterSettings) -> None:
    """Nothing in it may reach ssh or a file's name as something else than it is. Raises UsageError."""
    name = cluster.name
    if not _GOOD.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a cluster", "Use letters, digits, dots and dashes.")
    examples = {"host": "me@login.hpc.org", "folder": "/scratch/lab/pipelines", "python": "python3"}
    for key, example in examples.items():
        value = getattr(cluster, key)
        if not value or value.startswith("-") or any(sign in value for sign in "\0\r\n"):
            told = f"{key} is {value!r}" if value else f"{key} is missing"
            raise UsageError(f"[clusters.{name}]: {told}", f'Write it in {NAME}, such as {key} = "{example}"')
    if re.search(r"\s", cluster.host):
        raise UsageError(
            f"[clusters.{name}]: host is {cluster.host!r}", "Write it as for ssh: me@login.hpc.org; a port goes into"
            " options or the user's ssh settings.",
        )  # fmt: skip


def _how(name: str, clusters: Mapping[str, object], repo: PurePath, host: Host) -> str:
    if clusters:
        return f"{NAME} knows: {', '.join(clusters)}."
    return (
        f"Write it into {' or '.join(map(str, places(repo, host)))}:\n"
        f'[clusters.{name}]\nhost = "me@login.hpc.org"\nfolder = "/scratch/lab/pipelines"'
    )
