"""`environment: imagej`: a macro or script run by ImageJ or Fiji, with its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from runner.environments import Kind, Lack, Request, Site, looked_in
from runner.environments.imagej.launcher import accept_launcher, find_launcher, is_new
from runner.errors import EnvironmentMissing
from runner.ground.disk import entries as files_in
from runner.ground.disk import is_folder
from runner.host import Host
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry

_HEADLESS = "--headless"
_CURE = "Install Fiji, or write its folder or program into .env of the repository: IMAGEJ_PATH=FOLDER"
_JAR = re.compile(r"(?P<name>ij|fiji|imagej|imagej-legacy|scijava-common)-(?P<version>\d[\w.-]*)\.jar")


def check(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> list[Finding]:
    """No macro, a parameter that ImageJ cannot take, or no ImageJ; nothing is asked at the terminal."""
    found: list[Finding] = []
    macro, _, parameters = parts(entries, site.host)
    if not macro:
        cure = "Write the macro as the first entry of `commands:`, then `- name: value` for each parameter."
        return [Finding("the segment names no macro", cure, "commands")]
    for name in parameters:
        if not re.fullmatch(r"[^\W\d]\w*", name):
            cure = "Use letters, digits and `_`, as in the macro's own `#@` lines."
            found.append(Finding(f"ImageJ cannot take a parameter named {name!r}", cure, "commands"))
    launcher, looked = find_launcher(site)
    if launcher is None and not site.host.interactive:
        found.append(Finding("ImageJ was not found", f"{_CURE}\n{looked_in(looked)}"))
    return found


def lacks(spec: EnvironmentSpec, site: Site) -> Lack | None:
    """Where ImageJ is, when it is nowhere to be found."""
    if find_launcher(site)[0] is not None:
        return None
    question = "ImageJ was not found. Its program, or the Fiji.app folder"
    return Lack(question, "IMAGEJ_PATH", lambda text: accept_launcher(text, site))


def wrap(request: Request, site: Site) -> Command:
    """LAUNCHER --ij2 --console --run MACRO name='value',…; `--run` alone for Fiji's new launchers."""
    macro, options, parameters = parts(request.entries, site.host)
    launcher, looked = find_launcher(site)
    if launcher is None and not request.dry:
        raise EnvironmentMissing("ImageJ was not found", f"{_CURE}\n{looked_in(looked)}")
    launcher = launcher or site.host.path(site.dotenv.get("IMAGEJ_PATH") or "ImageJ")
    new = is_new(launcher, site, dry=request.dry)
    argv = [str(launcher)]
    if not new:
        argv.append("--ij2")
    if _HEADLESS in options or no_display(site.host):
        argv.append(_HEADLESS)
    if not new:
        argv.append("--console")
    argv += [option for option in options if option != _HEADLESS and option not in argv]
    argv += ["--run", macro]
    if parameters:
        argv.append(",".join(f"{name}={value}" for name, value in sorted(parameters.items())))
    return Command(tuple(argv), request.cwd, request.env)


def fingerprint(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, object]:
    """The launcher and the versions of ImageJ's own parts, from the names of their jars."""
    launcher, _ = find_launcher(site)
    versions: dict[str, str] = {}
    # macOS has the launcher below Contents/MacOS, the jars beside Contents or above the .app folder
    around = list(launcher.parents)[:5] if launcher else []
    jars: PurePath | None = next((folder / "jars" for folder in around if is_folder(folder / "jars")), None)
    for file in files_in(jars, ".jar") if jars else []:
        if named := _JAR.fullmatch(file.name):
            versions[named["name"]] = named["version"]
    return {"kind": "imagej", "launcher": str(launcher or ""), "packages": versions}


def parts(entries: Sequence[ResolvedEntry], host: Host) -> tuple[str, list[str], dict[str, str]]:
    """The macro, options for ImageJ itself (`--headless`), and parameters by name with their values quoted."""
    macro = ""
    options: list[str] = []
    parameters: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, str):
            if not macro and not entry.startswith("-"):
                macro = forward(entry, host)
            else:
                options.append(entry)
            continue
        for name, value in entry.items:
            if name == _HEADLESS:
                options += [] if (value or "true").lower() == "false" else [_HEADLESS]
            else:
                # a flag alone is a switch that is on
                parameters[name.lstrip("-")] = "true" if value is None else quoted(forward(value, host))
    return macro, options, parameters


def quoted(value: str) -> str:
    """`value` as a text that SciJava's parser reads back: '…' is verbatim, in "…" a backslash escapes, as in Java."""
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    for sign, letter in (("\n", "n"), ("\r", "r"), ("\t", "t")):
        escaped = escaped.replace(sign, "\\" + letter)
    return f'"{escaped}"'


def forward(text: str, host: Host) -> str:
    """`text` with forward slashes on Windows, which Java takes and ImageJ's macro language needs."""
    return text.replace("\\", "/") if host.windows else text


def no_display(host: Host) -> bool:
    """Whether ImageJ could open no window: only on Linux can that be told."""
    shown = host.environ.get("DISPLAY") or host.environ.get("WAYLAND_DISPLAY")
    return host.platform not in ("win32", "darwin") and not shown


KIND = Kind(check, wrap, fingerprint, lacks=lacks, tool="imagej")
