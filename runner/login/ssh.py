"""The command line of the one ssh process, and what its end means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from runner.errors import EnvironmentMissing, UsageError
from runner.host import Host
from runner.site_file import ClusterSettings

ALIVE_EVERY, ALIVE_MISSED = 15, 4  # seconds between two questions of ssh, and how many may stay without an answer
# No quote, backslash, dollar or exclamation mark and no end of a line: all shells read it alike between single quotes,
# csh and fish too. It reads from standard input how long the agent is, then the agent.
_BOOT = (
    "import sys;v=sys.version_info;"
    'v<(3,6)and sys.exit("run-pipeline: Python %d.%d is too old"%v[:2]);'
    "s=sys.stdin.buffer;n=s.readline();"
    'n.strip().isdigit()or sys.exit("run-pipeline: no agent came");'
    'exec(compile(s.read(int(n)),"agent","exec"))'
)
_PLAIN = re.compile(r"~?[\w./+@:-]+", re.ASCII)


NOISE = "the login shell does not stop printing"


def ssh_program(cluster: ClusterSettings, host: Host) -> str:
    """Raises EnvironmentMissing."""
    found = host.which(cluster.ssh or "ssh")
    if found is None:
        cure = (
            "Windows brings it: Settings, Optional features, OpenSSH Client."
            if host.windows
            else "Install the package openssh-client."
        )
        raise EnvironmentMissing(
            f"there is no program {cluster.ssh or 'ssh'}", f"{cure} Or name it as `ssh` in the site file."
        )
    return found


def ssh_argv(cluster: ClusterSettings, host: Host) -> list[str]:
    """The process of a login; nothing in it is read by a shell of this computer."""
    options = ["ControlMaster=no", "ControlPath=none"] if host.windows else []  # it has no such sockets
    ours = [
        f"ServerAliveInterval={ALIVE_EVERY}",
        f"ServerAliveCountMax={ALIVE_MISSED}",
        "ClearAllForwardings=yes",  # a port that the user's own session forwards cannot be taken twice
        "RemoteCommand=none",
    ]
    if not host.interactive:
        options.append("BatchMode=yes")
    # of two values for one option the first counts: the site file's before ours
    words = [*_of(options), *cluster.options, *_of(ours)]
    return [ssh_program(cluster, host), "-T", *words, "--", cluster.host, f"{quoted(cluster.python)} -I -c '{_BOOT}'"]


def _of(options: Sequence[str]) -> list[str]:
    return [word for option in options for word in ("-o", option)]


def agent_source() -> bytes:
    """What the started Python reads first."""
    source = Path(__file__).with_name("agent.py").read_bytes().replace(b"\r\n", b"\n")
    return b"%d\n%s" % (len(source), source)


def quoted(word: str) -> str:
    """`word` for the login shell, whichever it is. Raises UsageError for what they read differently."""
    if _PLAIN.fullmatch(word):
        return word
    if any(sign in word for sign in "'\\!\n"):
        raise UsageError(f"python is {word!r}", "Write a path without quotes, backslashes and exclamation marks.")
    return f"'{word}'"


def why_ended(code: int | None, said: str, cluster: ClusterSettings, printed: Sequence[bytes] = ()) -> tuple[str, str]:
    """What happened and what to do, of an ssh that ended before the agent spoke.

    `said` is its standard error. 255 is ssh's own code; another one is of what ran at the other end, where a start-up
    file may print anything.
    """
    words = {"host": cluster.host, "python": cluster.python, "name": cluster.name}
    for sign, what, cure in _OF_SSH if code == 255 else _THERE:
        if re.search(sign, said):
            return what.format(**words), cure.format(**words)
    missing = rf"(?i){re.escape(cluster.python)}.*(not found|no such file|unknown command)"
    if code in (126, 127) or (code != 255 and re.search(missing, said)):
        return f"{cluster.host} has no program {cluster.python}", _NO_PYTHON.format(**words)
    shown = said.strip().splitlines() or [line.decode("utf-8", "replace") for line in printed if line.strip()]
    last = f": {shown[-1].strip()}" if shown else ""
    return (
        f"ssh to {cluster.host} ended with exit code {code}{last}",
        f"Try the same by hand: ssh {cluster.host} {cluster.python} --version",
    )


_NO_PYTHON = (
    "Log in by hand and look for one (which -a python3; module avail python), then write its path as `python` in"
    " [clusters.{name}] of the site file. Any Python from 3.6 on will do."
)
_THERE = (
    (
        r"run-pipeline: Python [\d.]+ is too old",
        "{python} of {host} is older than Python 3.6",
        "Name a newer one as `python` in [clusters.{name}] of the site file.",
    ),
    (
        NOISE,
        "the login shell of {host} prints without end, and the agent is not heard",
        "Look at its start-up files (.bashrc) there: what they print is for a terminal alone ([ -t 1 ]).",
    ),
    (
        "run-pipeline: no agent came",
        "the agent did not arrive whole at {host}",
        "Most likely a start-up file of the login shell there (.bashrc) reads what is meant for the agent: let it do so"
        " only for a terminal ([ -t 0 ]).",
    ),
    (
        "(?i)password.*(expired|change required)",
        "the password for {host} has expired",
        "Log in by hand, where it asks for a new one: ssh {host}",
    ),
)
_OF_SSH = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        "{host} shows another key than the one this computer knows",
        "Ask the people of the cluster whether its key was changed, before you do what ssh says above.",
    ),
    (
        r"Host key verification failed",
        "this computer does not know the key of {host}, and nobody confirmed it",
        "Log in once by hand, compare the key with what the cluster publishes, and answer yes: ssh {host}",
    ),
    (
        r"UNPROTECTED PRIVATE KEY FILE|Bad owner or permissions|Bad permissions",
        "ssh does not use a file of yours that others can read, or that is not yours",
        "It is named above. Make it yours alone (chmod 600 FILE; on Windows its properties, Security: no other user).",
    ),
    (
        r"Too many authentication failures",
        "{host} closed the connection after too many keys",
        "Name the one for it in your ssh settings: IdentityFile, and IdentitiesOnly yes.",
    ),
    (
        r"Bad configuration option|terminating, \d+ bad configuration",
        "ssh does not understand its settings",
        "Mend the line that is named above.",
    ),
    (
        r"Permission denied",
        "{host} refused the login",
        "Where it asks for a password or a code, log in at a terminal: run-pipeline login {name}. Else look whether"
        " `ssh {host}` works.",
    ),
    (
        r"no matching .* found",
        "this ssh and {host} have no way of speaking in common",
        "Update OpenSSH here, or ask the people of the cluster.",
    ),
    (
        r"Could not resolve hostname|Name or service not known",
        "there is no computer {host} to be found",
        "Check `host` in [clusters.{name}] of the site file, and whether the network (VPN) is there.",
    ),
    (
        r"Connection refused|timed out|No route to host|Network is unreachable",
        "{host} could not be reached",
        "Check the network (VPN), and whether the cluster is down for maintenance.",
    ),
    (
        r"Connection (closed|reset) by|kex_exchange_identification",
        "{host} closed the connection before a login",
        "It may be down for maintenance, or may have shut this computer out for a while after too many tries.",
    ),
)
