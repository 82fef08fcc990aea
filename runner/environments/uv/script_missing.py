"""What the environment of a script needs and this machine has not, where no network is used."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path, PurePath

from runner.environments.offline import offline
from runner.environments.site import Site
from runner.environments.uv.missing import finding, how_to_bring
from runner.environments.uv.pythons import without_conda
from runner.environments.uv.script_block import as_comment, has_mark
from runner.environments.uv.settings import ask_uv
from runner.environments.uv.uncached import Answer, uncached
from runner.environments.uv.wheels_at_hand import is_local
from runner.environments.uv.workspace import load_toml
from runner.errors import RunnerError
from runner.ground.disk import on_disk
from runner.model import Finding

# uv's words where it lacks what the packages of a script would be chosen by
_NOT_CHOSEN = ("No solution found", "connectivity is disabled", "Git operation failed")
_BRING = "env sync FILE.yaml"


def script_missing(
    script: PurePath, lock: Path, block: str, explain: Callable[[int, str], RunnerError], site: Site
) -> list[Finding]:
    """`lock` need not be there; `explain`: uv's exit code and words, where it is none of these."""
    if not offline(site):
        return []
    locked = lock.is_file()
    with tempfile.TemporaryDirectory(prefix="run-pipeline-script-") as folder:
        path = on_disk(script)
        if has_mark(script):  # uv would not see its block
            path = Path(folder) / script.name
            path.write_text(as_comment(block), encoding="utf-8")
            if locked:
                path.with_name(lock.name).write_bytes(lock.read_bytes())
        words = ("sync", "--script", str(path), *(("--locked",) if locked else ()))
        own = str(script) if locked else ""
        answer = uncached(words, site, script=own, apart=locked, more=without_conda(site.host))
        there = (_locked_here(lock) if locked else _chosen_here(path, site)) if answer.packages else set()
    if answer.refused:
        return [_refused(script, locked, block, answer, explain(*answer.refused), site)]
    lacking = [one for one in answer.packages if one.name not in there]
    return finding(f"the environment of {script}", lacking, answer.untold, _BRING, site)


def _refused(script: PurePath, locked: bool, block: str, answer: Answer, error: RunnerError, site: Site) -> Finding:
    said = answer.refused[1] if answer.refused else ""
    if locked or not any(sign in said for sign in _NOT_CHOSEN):
        return Finding(error.message, error.cure)
    wanted = tuple(map(str, tomllib.loads(block).get("dependencies", ())))
    why, names = offline(site), ", ".join(wanted)
    message = f"{script} has no lock, and uv cannot choose its packages without a network ({why}): {names}"
    lock = f"A lock saves the choice: `run-pipeline env lock --script {script.name}`, also there."
    quoted = [line for line in error.cure.splitlines() if line.startswith("uv:")]
    return Finding(message, "\n".join([how_to_bring(_BRING, site), lock, *quoted]), missing=wanted)


def _locked_here(lock: Path) -> set[str]:
    """The packages that the lock takes from this machine's disks."""
    return {str(one["name"]) for one in load_toml(lock, "").get("package", []) if is_local(one)}


def _chosen_here(path: Path, site: Site) -> set[str]:
    """The same where uv chooses them: of the lock that it would write."""
    words = ("export", "--quiet", "--script", str(path), "--offline", "--format", "pylock.toml", "--no-header")
    answer = ask_uv(words, site, timeout=60.0, apart=False, more=without_conda(site.host))
    try:
        packages = tomllib.loads(answer.stdout.decode("utf-8", "replace")).get("packages", [])
    except ValueError:
        return set()
    return {
        str(one["name"])
        for one in packages
        if str(one.get("index", "")).startswith("file:") or "path" in one.get("archive", one.get("directory", {}))
    }
