"""Variables around the runner that would bring another environment's packages, or a notebook's, into a segment.

So would what an active environment (conda's, pixi's, a virtual one) set to places in itself, such as PROJ_DATA: a wheel
then reads the data of another version.

A segment can still be given each of them under its `env:`. What stays, and why: LD_LIBRARY_PATH and LD_PRELOAD (modules
of a cluster and drivers need them; only folders of an active environment go), certificates, JAVA_TOOL_OPTIONS,
QT_QPA_PLATFORM, PYTHONUTF8 and the like (settings of a computer, not places of packages).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.host import Host

# name -> why it is dropped
LEAKS = {
    "VIRTUAL_ENV": "an environment that is active around the runner; uv warns about it or uses it",
    "VIRTUAL_ENV_PROMPT": "belongs to VIRTUAL_ENV",
    "PYTHONHOME": "points Python at another one's standard library: it does not start",
    "PYTHONPATH": "packages of another Python would be imported first",
    "PYTHONUSERBASE": "moves the folder of the user's packages",
    "PYTHONPLATLIBDIR": "moves the standard library",
    "_PYTHON_SYSCONFIGDATA_NAME": "conda's compilers set it: another Python's sysconfig fails",
    "PYTHONEXECUTABLE": "macOS: Python takes itself for another program",
    "__PYVENV_LAUNCHER__": "macOS: Python takes itself for another program",
    "EBPYTHONPREFIXES": "EasyBuild's modules: packages for another Python would be imported first",
    "PYTHONSTARTUP": "the caller's own code would run",
    "PYTHONINSPECT": "Python would not end but wait for a person",
    "PYTHONBREAKPOINT": "names a debugger that another environment has",
    "PYTHONOPTIMIZE": "assertions would not be checked",
    "JUPYTER_PATH": "kernels of another environment would be found first",
    "JUPYTER_CONFIG_PATH": "settings of another environment's Jupyter",
    "JUPYTER_CONFIG_DIR": "settings of another environment's Jupyter",
    "JPY_PARENT_PID": "a kernel would end with the notebook that the runner was started from",
    "JPY_SESSION_NAME": "the notebook that the runner was started from",
    "QT_API": "names a Qt that another environment has",
    "QT_PLUGIN_PATH": "plugins of another Qt: it ends with `could not load the Qt platform plugin`",
    "QT_QPA_PLATFORM_PLUGIN_PATH": "plugins of another Qt",
    "QML2_IMPORT_PATH": "parts of another Qt",
    "TCL_LIBRARY": "another version of Tcl, with which tkinter does not start",
    "TK_LIBRARY": "another version of Tk",
}
# what a conda environment has of its own; to others the system's R and Perl are as good as any
_CONDA_LEAKS = {
    "R_HOME": "another R",
    "R_LIBS": "packages of another R would be loaded first",
    "R_LIBS_SITE": "packages of another R",
    "R_LIBS_USER": "packages of another R",
    "R_PROFILE": "the caller's own code would run",
    "R_PROFILE_USER": "the caller's own code would run",
    "R_ENVIRON": "would set the places of R's packages again",
    "R_ENVIRON_USER": "would set the places of R's packages again",
    "PERL5LIB": "modules of another Perl, which crash or are loaded first",
    "PERL5OPT": "modules of another Perl",
}
# tell of a pixi environment; PIXI_HOME, PIXI_CACHE_DIR and the like are its user's settings
_PIXI = ("PIXI_PROJECT_", "PIXI_ENVIRONMENT_", "PIXI_IN_SHELL", "PIXI_PROMPT")
# stay, wherever they lead to: the user's own places, and certificates, without which nothing is fetched
_STAY = frozenset(
    "PATH PWD OLDPWD HOME USERPROFILE TMP TEMP TMPDIR SHELL COMSPEC "
    "SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO".split()
)
_STAYING = ("UV_", "RUN_PIPELINE_", "CONDA_", "_CONDA_", "MAMBA_")  # others decide about these
# conda was installed among the system's own files there, as in some containers
_SYSTEM = ("/usr", "/usr/local", "/")
_LIBRARIES = ("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
_NOTEBOOK_BACKENDS = ("inline", "notebook", "nbagg", "widget", "ipympl")
# what a conda environment's own programs read besides: packages in the user's home folder
SHUT_OUT = {"PYTHONNOUSERSITE": "1", "R_LIBS_USER": "NULL"}


def leaks(environ: Mapping[str, str], *, conda: bool = False) -> set[str]:
    """The names of `environ` that no environment of a segment is to see; `conda`: no conda environment."""
    names = LEAKS | _CONDA_LEAKS if conda else LEAKS
    outer = outer_prefixes(environ)
    return {
        name
        for name, value in environ.items()
        if name.upper() in names
        or name.upper().startswith(_PIXI)
        or _of_notebook(name.upper(), value)
        or _leads_into(outer, name.upper(), value)
    }


def outer_prefixes(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The folders of the environments that are active around the runner, as written."""
    return tuple(value for name, value in environ.items() if value and is_outer_prefix(name))


def without_outer_libraries(environ: Mapping[str, str], host: Host) -> dict[str, str]:
    """The places of shared libraries that name an environment active around the runner, without that."""
    outer = [host.path(value) for name, value in host.environ.items() if value and is_outer_prefix(name)]
    found = {}
    for name in _LIBRARIES:
        parts = re.split("[: ]" if name == "LD_PRELOAD" else ":", environ.get(name, ""))
        kept = [part for part in parts if not any(host.path(part).is_relative_to(prefix) for prefix in outer)]
        if kept != parts:
            found[name] = ":".join(kept)
    return found


def is_outer_prefix(name: str) -> bool:
    """Whether the variable names the folder of an environment that is active around the runner."""
    return name in ("CONDA_PREFIX", "VIRTUAL_ENV") or name.startswith("CONDA_PREFIX_")


def _leads_into(outer: Sequence[str], name: str, value: str) -> bool:
    """Whether each place in the value lies in one of these folders."""
    folders = [_normal(folder).rstrip("/") + "/" for folder in outer if folder.rstrip("/") not in _SYSTEM]
    if not folders or name in _STAY or name.startswith(_STAYING):
        return False
    parts = re.split(";|:(?![\\\\/])", value) if "\\" in value else value.split(":")
    return all(any(f"{_normal(part).rstrip('/')}/".startswith(folder) for folder in folders) for part in parts)


def _normal(path: str) -> str:
    """Of Windows in lower case and with `/`."""
    return path.replace("\\", "/").lower() if "\\" in path else path


def _of_notebook(name: str, value: str) -> bool:
    """A notebook's kernel (PyCharm too) sets a drawing backend that it alone has; Agg is a computer's setting."""
    backend = value.strip().lower()
    return name == "MPLBACKEND" and (backend.startswith("module://") or backend in _NOTEBOOK_BACKENDS)
