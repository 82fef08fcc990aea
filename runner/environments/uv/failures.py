"""uv's failures in plain words, each with what to do. Kept as data: the first entry that fits is taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runner.errors import EnvironmentMissing
from runner.ground.codes import NTSTATUS, explain_windows, spell_code


@dataclass(frozen=True)
class Failure:
    """`sign` is looked for in what uv printed; `message` and `cure` may use its groups, {repo}, {folder} and {lock}."""

    sign: str
    message: str
    cure: str


FAILURES = (
    Failure(
        r"No space left on device|os error 28\b|os error 112\b|[Dd]isk quota exceeded",
        "the disk is full",
        "Free some space where the environments ({folder}) and uv's cache are (`uv cache prune` removes what is not "
        "needed; UV_CACHE_DIR names another place), then start again.",
    ),
    Failure(
        r"Failed to initialize cache at `(?P<cache>[^`]*)`",
        "uv cannot write to its cache {cache}",
        "Set UV_CACHE_DIR to a folder that you may write to.",
    ),
    Failure(
        r"Could not acquire lock[\s\S]*? at path \"(?P<cache>[^\"]*)[/\\][^\"/\\]*\"",
        "uv cannot write to its cache {cache}",
        "Set UV_CACHE_DIR to a folder that you may write to; one that is read-only is copied first.",
    ),
    Failure(
        r"(?:Failed to parse environment variable `|invalid value for )(?P<name>[^`\s,]+)"
        r"(?:` with invalid value `|, )(?P<value>[^`\n]*)",
        "the variable {name} has a value that uv does not take: `{value}`",
        "Correct it or take it away.",
    ),
    Failure(
        r"invalid value '(?P<value>[^']*)' for '--(?P<option>[\w-]+)",
        "the variable behind uv's --{option} has a value that uv does not take: `{value}`",
        "Correct it or take it away; for --link-mode it is UV_LINK_MODE, and so on.",
    ),
    Failure(
        r"Required uv version `(?P<wanted>[^`]*)` does not match the running version `(?P<have>[^`]*)`",
        "pyproject.toml (or a uv.toml) asks for uv {wanted}, but this is uv {have}",
        "Install that version (`pip install --upgrade uv`), or set RUN_PIPELINE_UV to it.",
    ),
    Failure(
        r"uses an unsupported schema version",
        "uv.lock was written by a uv that is newer than this one",
        "Update uv (`pip install --upgrade uv`).",
    ),
    Failure(
        r"lockfile at `[^`]*` needs to be updated",
        "uv.lock is not up to date with pyproject.toml",
        "Run {lock}, then start again.",
    ),
    Failure(
        r"No solution found",
        "uv.lock is not up to date with pyproject.toml, and what that asks for now cannot be had",
        "uv's own words below say which package. Correct pyproject.toml, run {lock}, then start again.",
    ),
    Failure(
        r"Unable to find lockfile",
        "there is no uv.lock in {repo}",
        "Run {lock}, then start again.",
    ),
    Failure(
        r"^error: Failed to parse:? `?(?P<file>[^`\n]*?(?:\.toml|uv\.lock))`?(?!\S)[\s\S]*?"
        r"at line (?P<line>\d+), column (?P<column>\d+)",
        "{file} is not valid: line {line}, column {column}",
        "Correct that line of {file} (a broken uv.lock: take it from the repository's history).",
    ),
    Failure(
        r"Failed to parse:? `?(?P<file>[^`\n]*uv\.toml)`?[.:]? (?P<said>[^\n]*)|"
        r"failed to read from file `(?P<unread>[^`]*\.toml)`: (?P<why>[^\n]*)",
        "{file}{unread} cannot be used: {said}{why}",
        "Correct that file; uv reads it at every start.",
    ),
    Failure(
        r"uv is set to offline mode|[Nn]etwork connectivity is disabled",
        "a file that is not in uv's cache is needed, and no network is used (--offline, UV_OFFLINE or a file says so)",
        "Prepare it once with a network, or bring uv's cache (UV_CACHE_DIR) or a bundle here: "
        "docs/without-a-network.md has each way.",
    ),
    Failure(
        r"(?:inspect|query) Python interpreter[^`]*`(?P<program>[^`]*)`",
        "a Python that uv came upon does not start: {program}",
        "Remove it from PATH or repair it, or let uv use its own: UV_PYTHON_PREFERENCE=only-managed.",
    ),
    Failure(
        r"No interpreter found in (?P<where>[^\n]*)",
        "there is no Python in {where}, and none may be downloaded",
        "Install one (`uv python install`). UV_PYTHON_PREFERENCE, UV_MANAGED_PYTHON or a uv.toml may shut others out.",
    ),
    Failure(
        r"No interpreter found for (?P<python>[^\n]*?)(?: in [^\n]*)?(?:\n|$)",
        "there is no {python} on this machine, and none may be downloaded",
        "Install it (`uv python install`), or ask for another version: `uv@3.12:GROUP`.",
    ),
    Failure(
        r"(?:interpreter|Python)[^\n]*incompatible with the project's Python requirement: `(?P<wanted>[^`]*)`"
        r"(?: \(from `(?P<place>[^`]*)`\))?",
        "the Python asked for does not fit {wanted}, which pyproject.toml demands ({place})",
        "Change the version in `uv@VERSION:GROUP` (or UV_DEFAULT_PYTHON), or the group's requires-python.",
    ),
    Failure(
        r"Hash mismatch for `(?P<what>[^`]*)`",
        "a downloaded file is not the one that uv.lock names (hash mismatch): {what}",
        "Try again (`uv cache clean NAME` of that package first). If it stays, somebody changed the file: do not use "
        "it before you know why; {lock} with `--upgrade-package NAME` takes the new one.",
    ),
    Failure(
        r"(?:Distribution|distribution) `(?P<what>[^`]*)` can't be installed because (?P<why>[^\n]*)"
        r"|(?P<none>has no wheels[^\n]*|only has wheels for[^\n]*)",
        "a package has no build for this system: {what} {none}",
        "Choose a version with one for this system in pyproject.toml, then run {lock}.",
    ),
    Failure(
        r"Failed to build `(?P<what>[^`]*)`",
        "a package had to be built here, and that failed: {what}",
        "Its own message is above. Usually a compiler is missing: choose a version with a ready wheel for this system.",
    ),
    Failure(
        r"invalid peer certificate|UnknownIssuer|certificate verif|tls handshake",
        "the server's certificate was not accepted ({url})",
        "Behind an institute's proxy: set SSL_CERT_FILE to its certificate, or UV_SYSTEM_CERTS=1 (older uv: "
        "UV_NATIVE_TLS=1) for the certificates of the system. Check the clock too.",
    ),
    Failure(
        r"\b(?P<status>401|403|407)\b (?P<said>Unauthorized|Forbidden|Proxy Authentication Required)",
        "the server refused to hand the file out ({status} {said}): {url}",
        "Give user name and password (UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD, or HTTPS_PROXY=http://USER:PASSWORD@HOST).",
    ),
    Failure(
        r"client error \(404",
        "a file that uv.lock names is no longer on the server: {url}",
        "Run {lock} with `--upgrade`, or ask those who keep that server.",
    ),
    Failure(
        r"dns error|tcp connect error|operation timed out|error sending request|[Cc]onnection (?:refused|reset)"
        r"|server error \(5\d\d|Failed to fetch|Failed to download",
        "the server cannot be reached: {url}",
        "Check the network and that server; behind a proxy set HTTPS_PROXY. A slow one: UV_HTTP_TIMEOUT=300. What is "
        "in uv's cache already needs no network.",
    ),
    Failure(
        r"cannot be used because it is not a valid Python environment|redirect file at",
        "{folder} is in the way: it is no environment of uv",
        "Move or remove it, then start again.",
    ),
    Failure(
        r"Read-only file system|os error 30\b|[Pp]ermission denied|[Aa]ccess is denied|os error (?:5|13)\b",
        "a file or folder may not be written: {path}",
        "Check the rights of {folder} and of uv's cache. On Windows, end programs that still run from that environment "
        "(a virus scanner may hold a file for a moment: try again).",
    ),
    Failure(
        r"being used by another process|os error 32\b",
        "a program still runs from the environment, so that Windows does not let it change",
        "End that program (look for python.exe in the Task Manager), then start again.",
    ),
    Failure(
        r"path(?:[^\n]*)? too long|os error 206\b",
        "a path is longer than this Windows takes",
        "Allow long paths in Windows (docs: On a Windows workstation), or set RUN_PIPELINE_ENVS to a short folder.",
    ),
    Failure(
        r"Distribution not found at: (?P<what>\S+)|failed to open file `(?P<file>[^`]*)`: No such file",
        "a package's file or folder is gone: {what}{file}",
        "Put it back, or take it out of pyproject.toml and run {lock}.",
    ),
)

_URL = re.compile(r"https?://[^\s`)]+")
_PATH = re.compile(r"`([^`]*[/\\][^`]*)`")
_NOISE = re.compile(
    r"^(?:Using CPython|Creating virtual|Resolved|Prepared|Checked|Removed virtual)[^\n]*\n?", re.MULTILINE
)
_CONTINUED = re.compile(r"\n {7,}(?=\S)")  # uv breaks long lines at the width of the terminal
_SECRET = re.compile(r"(?<=://)[^/@\s]+@")
QUOTED_LINES = 30  # of uv's own words
_BROKEN_UV = "Install uv anew (`pip install --force-reinstall uv`), or set RUN_PIPELINE_UV to a uv that works."
_INTERRUPTED = frozenset({130, 143, -2, -15, 0xC000013A})


def explain(
    title: str,
    output: str,
    code: int,
    *,
    repo: str,
    folder: str,
    lock: str = "",
    names: Mapping[str, str] | None = None,
) -> EnvironmentMissing:
    """Why `title` could not be prepared, from what uv printed; uv's own words follow the cure.

    `lock`: the command that brings the lock up to date. `names`: other names for those in the texts.
    """
    said = _SECRET.sub("", _NOISE.sub("", output)).strip()
    if code == 127 and "error:" not in said:
        return EnvironmentMissing(f"{title}: uv could not be started: {said}", "Check RUN_PIPELINE_UV and the program.")
    if code in _INTERRUPTED:
        return EnvironmentMissing(
            f"{title}: uv was interrupted", "Start again: the environment is completed then, nothing is lost."
        )
    if code & 0xFFFFFFFF in NTSTATUS and "error:" not in said:
        why = explain_windows(code).removeprefix("It ").removesuffix(".")
        return EnvironmentMissing(f"{title}: uv did not work: it {why}", f"{_BROKEN_UV}\n{_quoted(said)}".strip())
    whole = _CONTINUED.sub(" ", said)
    for failure in FAILURES:
        if found := re.search(failure.sign, whole, re.MULTILINE):
            values = {"repo": repo, "folder": folder, "url": _first(_URL, whole), "path": _first(_PATH, whole)}
            values["lock"] = lock or "`run-pipeline env lock`"
            values |= {name: value or "" for name, value in found.groupdict().items()}
            message = " ".join(failure.message.format_map(values).split()).replace(" ()", "")
            cure = failure.cure.format_map(values)
            for old, new in (names or {}).items():
                message, cure = message.replace(old, new), cure.replace(old, new)
            return EnvironmentMissing(f"{title}: {message}", f"{cure}\n{_quoted(said)}")
    return EnvironmentMissing(
        f"{title} could not be prepared: uv ended with {spell_code(code)}",
        f"What uv said may tell why; `uv sync` in {repo} shows it again.\n{_quoted(said)}",
    )


def _quoted(said: str) -> str:
    lines = [f"uv: {line}" for line in said.splitlines() if line.strip()]
    return "\n".join(lines[-QUOTED_LINES:])


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[found.lastindex or 0] if found else ""
