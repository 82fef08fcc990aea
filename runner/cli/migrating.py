"""What `run-pipeline migrate` does."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from runner.cli.common import make_site, screen
from runner.cli.migrate_progress import progress
from runner.cli.retire import retire_command
from runner.environments import Site
from runner.environments.conda.base import find_base
from runner.environments.conda.prefix import environment_names, prefix_of
from runner.environments.spec import normalised_group
from runner.errors import ExitCode, RunnerError, UsageError
from runner.ground.disk import is_folder, on_disk
from runner.ground.files import write_atomic
from runner.migrate.facts import Facts, read_facts
from runner.migrate.installed import Installed, read_installed
from runner.migrate.locking import workbench
from runner.migrate.pipelines import pipeline_files, plan_twins, write_twins
from runner.migrate.plan import Plan, Wishes
from runner.migrate.planning import make_plan
from runner.migrate.recipe import read_recipe
from runner.migrate.report import (
    COLOURS,
    Outcome,
    consequences,
    is_replaceable,
    markdown,
    records,
    summary,
    table,
    version_lines,
)
from runner.migrate.search import Found, Search
from runner.migrate.write import write
from runner.report.console import Console


def migrate(recipe: str | None, retire: str | None, **options: Any) -> int:
    """The command, with its options by their names."""
    site, pipelines, prefix = make_site(options["repo"]), options["pipelines"], options["prefix"]
    asked = {name: options[name] for name in ("as_json", "dry_run", "yes")}
    if retire is not None:
        if recipe is not None:
            raise UsageError("migrate: a recipe and --retire exclude each other", "Give one of them.")
        return retire_command(retire, pipelines, options["environment"], site, **asked)
    if recipe is None:
        raise UsageError("migrate: which recipe?", "Name a conda environment file, such as conda_envs/NAME.yml.")
    if options["pin"] and not prefix:
        raise UsageError("migrate: --pin needs the installed environment", "Give it with --prefix.")
    of_group = {name: options[name] for name in ("group", "python", "cuda", "pin", "replace")}
    report = Path(options["report_file"]).expanduser().absolute() if options["report_file"] else None
    run = _Migration(site, report, screen(as_json=options["as_json"]), **asked)
    names = [*options["environment"], *([prefix] if prefix else [])]
    return run.start(Path(recipe), Wishes(**of_group, installed=_installed(prefix, site)), pipelines, names)


@dataclass
class _Migration:
    """One run of the command."""

    site: Site
    report: Path | None
    console: Console
    as_json: bool
    dry_run: bool
    yes: bool

    def start(self, path: Path, wishes: Wishes, pipelines: tuple[str, ...], names: list[str]) -> int:
        """The exit code."""
        self._check_report()
        facts = read_facts(on_disk(self.site.repo))
        plan = make_plan(read_recipe(path.expanduser().absolute()), facts, wishes)
        if wishes.installed is None and (hint := _hint(plan.recipe.name, self.site)):
            plan = replace(plan, remarks=(*plan.remarks, hint))
        files = pipeline_files(pipelines, Path.cwd())
        twins = plan_twins(files, [plan.recipe.name, *names], plan.group, self.site.dotenv)
        outcome = Outcome(facts.repo, twins=twins)
        self._show(plan)
        if normalised_group(plan.group) in facts.groups and pipelines and not wishes.replace:
            return self._twins_only(plan, outcome)
        if plan.problems:
            return self._refuse(plan, outcome)
        self._prepare()
        try:
            found = self._search(plan, facts)
        except RunnerError as error:
            outcome.locked, outcome.reason = False, f"{error.message}\n{error.cure}"
            self._consequences(plan, outcome)
            self._finish(plan, outcome)
            raise
        outcome.locked = True
        self._consequences(found.plan, outcome)
        if self.dry_run or not self._agreed(found.plan):
            self._finish(found.plan, outcome)
            self.console.line("Nothing was written.")
            return 0
        self._write(found, facts, outcome)
        return 0

    def _search(self, plan: Plan, facts: Facts) -> Found:
        with progress(self.console) as begin, workbench(self.site, facts.repo) as bench:
            found = Search(bench, facts, begin).find(plan)
        changed = [(old, new) for old, new in zip(plan.items, found.plan.items, strict=True) if old != new]
        if changed:
            self.console.line("After asking uv:")
            self._show(replace(found.plan, items=tuple(new for _, new in changed)))
        return found

    def _write(self, found: Found, facts: Facts, outcome: Outcome) -> None:
        with progress(self.console) as begin:
            begin("uv lock in the repository")
            write(found, facts, self.site)
        self.console.line(f"Wrote the group {found.plan.group} to pyproject.toml and uv.lock.")
        self._write_twins(outcome)
        self._finish(found.plan, outcome)
        self.console.line(
            f"Next: run a pipeline with `environment: uv:{found.plan.group}`, and compare its results with conda's."
        )

    def _twins_only(self, plan: Plan, outcome: Outcome) -> int:
        self._prepare()
        self.console.line(
            f"The group {plan.group} is there already; only the pipelines are written (--replace writes both)."
        )
        self._consequences(replace(plan, indexes=(), sources=(), remarks=(), requires_python=""), outcome)
        if not self.dry_run and self._agreed(plan):
            self._write_twins(outcome)
        self._finish(plan, outcome)
        return 0

    def _write_twins(self, outcome: Outcome) -> None:
        outcome.written = True
        for path in write_twins(outcome.twins):
            self.console.line(f"Wrote {path}")

    def _refuse(self, plan: Plan, outcome: Outcome) -> int:
        outcome.reason = "\n".join(f"{one.message}\n{one.cure}" for one in plan.problems)
        self._consequences(plan, outcome)
        self._finish(plan, outcome)
        for problem in plan.problems:
            self.console.line(f"error: {problem.message}", "red", "bold")
            self.console.line(f"  {problem.cure}")
        return ExitCode.USAGE

    def _check_report(self) -> None:
        """Raises UsageError."""
        if self.report and not self.report.parent.is_dir():
            raise UsageError(f"--report: there is no folder {self.report.parent}", "Make it, or give another file.")
        if self.report and not is_replaceable(self.report):
            raise UsageError(f"--report: {self.report} is there, and is no page of a migration", "Give another file.")

    def _prepare(self) -> None:
        """Whatever would stop it later is said before uv works for minutes. Raises UsageError."""
        if not (self.yes or self.dry_run or self.site.host.interactive):
            raise UsageError(
                "nobody is there to accept the plan", "Give --yes to write it, or --dry-run to see it only."
            )

    def _agreed(self, plan: Plan) -> bool:
        return self.yes or click.confirm(f"Write the group {plan.group}?", err=self.as_json)

    def _show(self, plan: Plan) -> None:
        width = shutil.get_terminal_size((100, 24)).columns
        for status, text in table(plan, width):
            self.console.line(text, *([COLOURS[status]] if status else ["bold"]))
        self.console.line(f"{summary(plan)}.")

    def _consequences(self, plan: Plan, outcome: Outcome) -> None:
        for text in (*consequences(plan), *version_lines(plan)):
            self.console.line(f"  {text}")
        for twin in outcome.twins:
            self.console.line(f"  {twin.source.name} -> {twin.target.name}: {twin.note}")

    def _finish(self, plan: Plan, outcome: Outcome) -> None:
        """The report and the records: also of what was not done."""
        self.console.clear_live()
        if self.report:
            write_atomic(self.report, markdown(plan, outcome).encode("utf-8"))
            self.console.line(f"Wrote {self.report}")
        if self.as_json:
            for record in records(plan, outcome):
                print(json.dumps(record, ensure_ascii=False))


def _installed(prefix: str | None, site: Site) -> Installed | None:
    """The environment that --prefix names, by folder or by name. Raises UsageError."""
    if prefix is None:
        return None
    folder = Path(prefix).expanduser().absolute()
    if folder.is_dir():
        return read_installed(folder)
    base = find_base(site).base
    found = prefix_of(prefix, base, site.repo, site.host)
    if found is None:
        names = ", ".join(environment_names(base, site.host)) or "none that could be found"
        raise UsageError(f"there is no conda environment {prefix}", f"There are: {names}. A folder can be given too.")
    return read_installed(on_disk(found))


def _hint(name: str, site: Site) -> str:
    """That the recipe is installed here, where it is: its own metadata knows the names better than any table."""
    found = prefix_of(name, find_base(site, dry=True).base, site.repo, site.host)
    if found is None or not is_folder(found / "conda-meta"):
        return ""
    return f"the environment is installed here ({found}): --prefix {name} takes names and versions from it"
