"""Where a model's file is: the one that ships, a file of the user's, or a download that is kept."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

from _program.files import UserError, absolute

DEFAULT = Path(__file__).resolve().parents[2] / "models" / "er_default.onnx"
CHUNK = 2**18
TIMEOUT = 30.0  # seconds without a byte
_YES = ("1", "true", "t", "yes", "y", "on")


def locate(weights: str, sha256: str = "") -> Path:
    """The file for `default`, a path or an address (http, https). Raises UserError where there is none."""
    if weights == "default":
        if not DEFAULT.is_file():
            raise UserError(f"the model that ships is missing: {DEFAULT}. Get the repository again.")
        return _checked(DEFAULT, sha256)
    if weights.lower().startswith(("http://", "https://")):
        return fetch(weights, sha256)
    if "://" in weights:
        raise UserError(f"--weights {weights}: only addresses with http:// or https:// can be fetched.")
    path = absolute(weights)
    if not path.is_file():
        raise UserError(f"--weights {path}: there is no such file.")
    return _checked(path, sha256)


def cache_folder() -> Path:
    """Where downloads are kept on this system."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "run-pipeline" / "weights"


def fetch(address: str, sha256: str = "") -> Path:
    """Downloads once; an interrupted download goes on where it ended."""
    name = Path(address.split("?")[0].split("#")[0]).name or "weights"
    folder = cache_folder() / hashlib.sha256(address.encode()).hexdigest()[:16]
    target = folder / name
    if target.is_file():
        logging.debug("weights of an earlier download: %s", target)
        return _checked(target, sha256)
    if os.environ.get("UV_OFFLINE", "").strip().lower() in _YES:  # as the runner sets it
        raise UserError(
            f"no network is used (--offline, UV_OFFLINE or a file says so), and {address} is not here. Fetch the file "
            "on another computer and give its path: --weights PATH."
        )
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    try:
        _download(address, part)
    except urllib.error.HTTPError as error:
        raise UserError(
            f"the weights could not be fetched: {address} answers {error.code} ({error.reason}). Look at the address."
        ) from error
    except (OSError, HTTPException) as error:
        raise UserError(
            f"the weights could not be fetched from {address} ({getattr(error, 'reason', error) or error}). Is there a "
            "network? If not, fetch the file on another computer and give its path: --weights PATH. "
            "What has arrived is kept; the next try goes on from there."
        ) from error
    try:
        _checked(part, sha256)
    except UserError:
        part.unlink()
        raise
    part.replace(target)
    (folder / f"{name}.tag").unlink(missing_ok=True)
    return target


def _download(address: str, part: Path) -> None:
    tag_file = part.with_suffix(".tag")
    have = part.stat().st_size if part.exists() else 0
    tag = tag_file.read_text(encoding="utf-8") if have and tag_file.exists() else ""
    headers = {"User-Agent": "run-pipeline", "Accept-Encoding": "identity"}
    if tag:  # without one, the file there may have changed since
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and tag:  # nothing is left to send, or the file became shorter
            part.unlink()
            _download(address, part)
            return
        raise
    with answer:
        going_on = answer.status == 206
        tag_file.write_text(_tag(answer), encoding="utf-8")
        with part.open("ab" if going_on else "wb") as file:
            _copy(answer, file, have if going_on else 0)


def _tag(answer: Any) -> str:
    """What names this version of the file; weak tags do not."""
    tag = str(answer.headers.get("ETag", ""))
    return tag if tag and not tag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _copy(answer: Any, file: Any, have: int) -> None:
    from tqdm import tqdm

    left = answer.headers.get("Content-Length")
    total = have + int(left) if left else None
    with tqdm(total=total, initial=have, unit="B", unit_scale=True, desc="weights", file=sys.stderr) as bar:
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and file.tell() < total:
        raise ConnectionError(f"the connection ended after {file.tell()} of {total} bytes")


def _checked(path: Path, sha256: str) -> Path:
    if sha256:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256.strip().lower():
            raise UserError(
                f"{path.name} is not the file that was asked for: its SHA-256 is {found}, and should be {sha256}."
            )
    return path
