"""Which folder there is which folder here."""

from __future__ import annotations

from runner.login.remote import Refusal, Remote


def make_folder(remote: Remote) -> str:
    """The lab's folder on the cluster, made where it is missing and tried. Raises Refusal, Lost."""
    try:
        return str(remote.call({"op": "writable", "base": remote.cluster.folder})["folder"])
    except Refusal as error:
        error.message = error.message if remote.cluster.folder in error.message else (
            f"{error.message} (folder {remote.cluster.folder})"
        )  # fmt: skip
        raise
