"""Fiji, and which of the two families its launcher belongs to."""

from __future__ import annotations

from runner.doctor import Context, Line, check, ok, problem, warning
from runner.environments import looked_in
from runner.environments.imagej.launcher import find_launcher, help_of, is_new


@check(
    "Fiji",
    "Fiji's launchers of before and after 2025 take different options; the runner tells them apart by this look.",
)
def fiji(context: Context) -> list[Line]:
    """Where Fiji or ImageJ is, and how its launcher is called."""
    site = context.site
    launcher, looked = find_launcher(site)
    if launcher is None:
        if context.uses("imagej"):
            cure = "Install Fiji, or write its folder into .env of the repository: IMAGEJ_PATH=FOLDER"
            return [problem("Fiji was not found", f"{cure}\n{looked_in(looked)}")]
        return [ok("Fiji was not found" + (", and this pipeline does not need it" if context.has_file else ""))]
    new = is_new(launcher, site)
    # only a launcher of an unusual name was asked, and says nothing where it hangs
    if (said := help_of.known(site, launcher)) and said.code is None:
        cure = "Write the path of Fiji's own program into .env of the repository: IMAGEJ_PATH=PROGRAM"
        return [warning(f"{launcher} does not answer: {said.error}", cure)]
    family = "new launcher (`--run`)" if new else "old launcher (`--ij2 --console --run`)"
    return [ok(f"{launcher}, {family}")]
