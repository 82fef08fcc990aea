"""`run-pipeline login CLUSTER`: one ssh to a login node, opened here and held in the background."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from runner.cli.common import find_repo, repo_option, reports_errors
from runner.cli.completing import complete_clusters

if TYPE_CHECKING:
    from runner.login.line import Remote


@click.command(name="login", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cluster", metavar="CLUSTER", shell_complete=complete_clusters)
@click.option(
    "--status", "what", flag_value="status", help="Say whether a login is open, since when, and what is known."
)
@click.option("--close", "what", flag_value="close", help="End the login; jobs go on.")
@click.option("--idle", metavar="HOURS", type=click.FloatRange(0.0001, 240), default=12.0, show_default=True,
              help="End the login after so long without use.")  # fmt: skip
@repo_option
@reports_errors
def command(cluster: str, what: str | None, idle: float, repo: str | None) -> int:
    """Log in to a cluster, once for all commands that follow (with --on CLUSTER).

    CLUSTER is a [clusters.NAME] of run-pipeline.toml. ssh asks at this terminal for what it needs, a code of a second
    factor too; nothing of it is stored.
    """
    from runner.host import is_terminal, this_host
    from runner.login.cluster import find_cluster

    host = this_host(interactive=is_terminal(sys.stdin))
    found = find_cluster(cluster, find_repo(repo), host)
    if what == "status":
        from runner.login.line import connect

        with connect(found, host) as remote:
            return _show(remote)
    if what == "close":
        from runner.login.open import log_out

        print(f"{cluster}: {'closed; jobs go on' if log_out(found, host) else 'no login was open'}")
        return 0
    from runner.login.open import log_in
    from runner.login.places import make_folder

    remote, new = log_in(found, host, idle=idle * 3600, say=_say)
    with remote:
        folder = make_folder(remote)
        told = remote.keeper()
        opened = (
            "logged in" if new else f"a login is open already, since {time.strftime('%H:%M', _time(told['since']))}"
        )
        hello = told["hello"]
        print(f"{cluster}: {opened}; {hello['host']}, Python {hello['python']}, {folder}")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _time(seconds: float) -> time.struct_time:
    return time.localtime(seconds)


def _show(remote: Remote) -> int:
    """The keeper is asked first, which knows without the line; then the other end."""
    from runner.login.line import PATIENCE, clock

    told, begun = remote.keeper(), time.perf_counter()
    print(f"{remote.cluster.name}: login open since {clock(told['since'])}, {told['hello']['host']}, {told['folder']}")
    remote.patience = min(PATIENCE, 10.0)
    remote.ping()
    print(f"it answers in {(time.perf_counter() - begun) * 1000:.0f} ms")
    return 0
