"""What is active in the shell that the runner is started from, and which segments see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath

from runner.doctor import Context, Line, check, ok, warning
from runner.environments import kind
from runner.environments.leaks import leaks, without_outer_libraries
from runner.environments.uv.inventory import our_environments
from runner.environments.uv.pythons import without_conda
from runner.environments.uv.stamp import venv_settings
from runner.ground.disk import entries, is_folder
from runner.host import Host

_UNSEEN = "uv and conda segments do not see it; `cmd` and `imagej` segments do."
# in another version they break programs, and with them Python itself
_BREAKING = ("libpython3", "libstdc++.so", "libssl.so", "libcrypto.so", "libtinfo.so")


@check(
    "this shell",
    "A conda, pixi or virtual environment or modules that are active in the shell are not there in another one, or in "
    "a job of a cluster.",
)
def shell_around(context: Context) -> list[Line]:
    """A line for each thing that is there, whether it does harm or not."""
    host = context.site.host
    found = [*_active(host), *_modules(host), *_python(context), *_libraries(host), *_made_on_conda(context)]
    return found or [ok("no environment and no module is active in this shell")]


def _active(host: Host) -> Iterator[Line]:
    environ = host.environ
    if prefix := environ.get("CONDA_PREFIX"):
        of_pixi = "PIXI_ENVIRONMENT_NAME" in environ or ".pixi" in host.path(prefix).parts
        yield ok(f"the {'pixi' if of_pixi else 'conda'} environment {prefix} is active in this shell", _UNSEEN)
    elif without_conda(host):
        yield ok("a Python of conda is on PATH", "No environment of uv is made on it while there is another.")
    if folder := environ.get("VIRTUAL_ENV"):
        yield ok(f"the virtual environment {folder} is active in this shell", _UNSEEN)


def _modules(host: Host) -> Iterator[Line]:
    if loaded := [name for name in host.environ.get("LOADEDMODULES", "").split(":") if name]:
        cure = "Segments with `modules` start without them; all others see what they set. A job of a cluster has none."
        yield ok(f"modules are loaded in this shell: {', '.join(loaded)}", cure)


def _python(context: Context) -> Iterator[Line]:
    """Of those only that are no part of what was told above."""
    environ = context.site.host.environ
    names = sorted(name for name in leaks(_alone(environ)) if name.upper().startswith(("PYTHON", "EBPYTHON")))
    if not names:
        return
    text = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} set in this shell"
    seeing = [f"{job.segment.number}" for job in context.jobs if kind(job.spec).in_shell]
    if not seeing:
        yield ok(text, _UNSEEN)
        return
    cure = "Unset it before the run: a Python that they start takes packages from there."
    yield warning(f"{text}, and the `cmd` segments ({', '.join(seeing)}) see it", cure)


def _alone(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in ("CONDA_PREFIX", "VIRTUAL_ENV")}


def _libraries(host: Host) -> Iterator[Line]:
    name = "LD_LIBRARY_PATH"
    value = without_outer_libraries(host.environ, host).get(name, host.environ.get(name, ""))
    folders = [host.path(part) for part in value.split(":") if part]
    if host.platform != "linux" or not folders:
        return
    bad = {str(folder): found for folder in folders if (found := _breaking(folder))}
    if not bad:
        yield ok(f"{name} is set in this shell: {value}", "Each segment takes libraries from there first.")
    for folder, names in bad.items():
        cure = "Unset it before the run, and load what a segment needs by its `modules`, or by `conda:NAME + uv:GROUP`."
        yield warning(f"{name} leads each segment to {folder} first, which holds {', '.join(names)}", cure)


def _breaking(folder: PurePath) -> list[str]:
    names = [path.name for path in entries(folder)]
    return [start for start in _BREAKING if any(name.startswith(start) for name in names)]


def _made_on_conda(context: Context) -> Iterator[Line]:
    host = context.site.host
    for environment in our_environments(context.site):
        home = venv_settings(environment.place.folder).get("home", "")
        for prefix in (host.path(home), host.path(home).parent) if home else ():
            if is_folder(prefix / "conda-meta"):
                cure = (
                    f"`run-pipeline env remove {environment.name}`; the next run makes it on another, if there is one."
                )
                text = f"{environment.name} was made on the Python of conda in {prefix}, and breaks when that changes"
                yield warning(text, cure)
