"""Puts a plan that locks into the repository: both files, or neither."""

from __future__ import annotations

from runner.environments import Site
from runner.errors import EnvironmentMissing
from runner.ground.files import write_atomic
from runner.migrate.facts import Facts
from runner.migrate.locking import anchored, attempt_of, run_uv
from runner.migrate.reasons import unlockable
from runner.migrate.search import Found


def write(found: Found, facts: Facts, site: Site) -> None:
    """Raises EnvironmentMissing or StateError; both files are then as they were."""
    pyproject, lock = facts.repo / "pyproject.toml", facts.repo / "uv.lock"
    old = {path: path.read_bytes() if path.exists() else None for path in (pyproject, lock)}
    if old[pyproject] is None or old[pyproject].decode("utf-8-sig") != facts.text:  # type: ignore[union-attr]
        raise EnvironmentMissing("pyproject.toml was changed meanwhile", "Start again.")
    try:
        if anchored(found.pyproject, facts.repo) == found.pyproject:  # it means the same here, and so its lock does
            write_atomic(lock, found.lock)
        # each in one step; should the power fail between the two, `uv lock` brings uv.lock back to pyproject.toml
        write_atomic(pyproject, found.pyproject.encode("utf-8"))
        got = run_uv(site, facts.repo, ["lock", "--no-progress"])
        if got.code != 0:
            raise unlockable(found.plan, attempt_of(got, site), facts, together=True)
    except BaseException:
        for path, data in old.items():
            if data is None:
                path.unlink(missing_ok=True)
            else:
                write_atomic(path, data)
        raise
