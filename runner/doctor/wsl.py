"""WSL on Windows: is it there, which distributions, and uv inside those that FILE names."""

from __future__ import annotations

from runner.doctor import Context, Line, check, from_error, ok, problem, warning
from runner.environments.wsl.inside import decoded, local_folder, look_inside, wsl_program
from runner.errors import EnvironmentMissing


@check("WSL", "Segments with `use-linux-distro` run inside a WSL distribution, with a uv of its own.", 20.0)
def wsl(context: Context) -> list[Line]:
    """Nothing on other systems, where `use-linux-distro` has no effect."""
    site = context.site
    if not site.host.windows:
        return []
    needed = list(dict.fromkeys(job.spec.distro for job in context.uses("wsl")))
    program = wsl_program(site)
    if program is None:
        if needed:
            cure = "Install WSL (wsl --install), or take `use-linux-distro` out of the segment."
            return [problem("wsl.exe was not found, and `use-linux-distro` needs it", cure)]
        return [ok("WSL is not installed" + (", and this pipeline does not need it" if context.has_file else ""))]
    environ = {**site.host.environ, "WSL_UTF8": "1"}
    got = site.host.capture([program, "--list", "--quiet"], env=environ, cwd=local_folder(site))
    if got.code is None:
        return [warning(f"WSL does not answer: {got.error}", "`wsl --shutdown` in a PowerShell ends a WSL that hangs.")]
    names = [line.strip() for line in decoded(got.stdout).splitlines() if line.strip()] if got.code == 0 else []
    lines = [ok(f"distributions: {', '.join(names)}" if names else "WSL has no distribution")]
    return lines + [_inside(distro, context) for distro in needed]


def _inside(distro: str, context: Context) -> Line:
    name = "the default distribution" if distro == "default" else distro
    try:
        inside = look_inside(context.site, distro)
    except EnvironmentMissing as error:
        return from_error(error)
    if not inside.uv:
        cure = "Install uv inside it, for example with `pipx install uv`."
        return problem(f"there is no uv in {name}", cure)
    return ok(f"{name} has uv: {inside.uv}")
