"""`run-pipeline env clone`: a store of environments brought to another share."""

from __future__ import annotations

import click

from runner.cli.common import as_given, error_console, json_option, make_site, print_json, repo_option, reports_errors
from runner.cli.common import table as show_table
from runner.errors import ExitCode
from runner.ground.words import counted, size_text


@click.command(name="clone")
@click.argument("store_a", metavar="STORE_A")
@click.argument("store_b", metavar="STORE_B")
@click.option("--cache", is_flag=True, help="uv's cache as well, so that environments can be made there offline.")
@json_option
@repo_option
@reports_errors
def clone_command(store_a: str, store_b: str, cache: bool, as_json: bool, repo: str | None) -> int:
    """Bring the environments and Pythons of STORE_A to STORE_B, correct there, each run once to see that it works.

    Interrupted and started again, it goes on. STORE_A stays as it is.
    """
    from runner.bundle.conda.clone import clone_packed
    from runner.cli.store import usable_folder
    from runner.environments.uv.clone import Clone

    site, target = make_site(repo, interactive=False), usable_folder(as_given(store_b))
    clone, tell = Clone(as_given(store_a), target, site, error_console().line), error_console().line
    done = [*clone.run(cache=cache), *clone_packed(*clone.environments, site.host, tell)]
    bad = [one for one in done if not one.good]
    if as_json:
        for one in done:
            print_json("environment", name=one.name, bytes=one.size, state=one.state, good=one.good)
    else:
        show_table(["environment", "size", "state"], [[one.name, size_text(one.size), one.state] for one in done])
        left = f"; {counted(len(bad), 'environment')} left out" if bad else ""
        print(f"{counted(len(done) - len(bad), 'environment')} in {target}{left}.")
    return ExitCode.ENVIRONMENT if bad else ExitCode.DONE
