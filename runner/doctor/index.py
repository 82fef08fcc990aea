"""The package indexes that uv.lock names: reachable or not."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from runner.doctor import Context, Line, check, ok, problem, warning
from runner.doctor.patience import reading
from runner.environments.offline import offline
from runner.environments.uv.kind import place
from runner.environments.uv.stamp import State, condition
from runner.ground.words import time_text

PATIENCE = 6.0  # seconds for one index


@check(
    "package index",
    "Preparing an environment fetches what is not in uv's cache from the indexes that `uv.lock` names.",
    PATIENCE + 4,
)
def indexes(context: Context) -> list[Line]:
    """One line for each index that could not be reached; one for all others."""
    asked = _indexes(context)
    if not asked:
        return []
    if why := offline(context.site):
        return [ok(f"offline, not looked at ({why})")]
    environ = context.site.host.environ
    # each in a thread of its own: looking up a name may take longer than any time limit of ours
    answers = {url: reading(partial(_head, page, environ)) for url, page in asked.items()}
    deadline = time.monotonic() + PATIENCE
    reached: list[str] = []
    lines: list[Line] = []
    for url, answer in answers.items():
        try:
            why = answer.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            why = f"no answer within {time_text(PATIENCE)}"
        host = urlsplit(url).hostname or url
        if why:
            lines.append(_unreachable(host, why, context))
        else:
            reached.append(host)
    return ([ok(f"reached: {', '.join(dict.fromkeys(reached))}")] if reached else []) + lines


def _indexes(context: Context) -> dict[str, str]:
    """Index -> its page of a package that the lock takes from it."""
    found: dict[str, str] = {}
    for _, _, packages in context.locked():
        for package in packages:
            url = package.get("source", {}).get("registry", "")
            if url.startswith(("http://", "https://")):
                found.setdefault(url, f"{url.rstrip('/')}/{package['name']}/")
    return found


def _head(page: str, environ: Mapping[str, str]) -> str:
    """Why the index cannot be used, "" when it answers."""
    values = {name.lower(): value for name, value in environ.items()}
    proxies = {kind: proxy for kind in ("http", "https") if (proxy := values.get(f"{kind}_proxy"))}
    if values.get("all_proxy"):
        proxies = {kind: proxies.get(kind, values["all_proxy"]) for kind in ("http", "https")}
    if _spared(urlsplit(page).hostname or "", values.get("no_proxy", "")):
        proxies = {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open(urllib.request.Request(page, method="HEAD"), timeout=PATIENCE - 1):
            return ""
    except urllib.error.HTTPError as error:
        # another answer than this is one all the same: not every index takes HEAD
        return f"it wants a name and a password ({error.code})" if error.code in (401, 403, 407) else ""
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return f"its certificate was not accepted ({error.reason.reason})"
        return str(getattr(error.reason, "strerror", None) or error.reason)
    except (OSError, ValueError) as error:
        return str(error)


def _spared(host: str, no_proxy: str) -> bool:
    names = [name.strip().lstrip(".") for name in no_proxy.split(",") if name.strip()]
    return any(name == "*" or host == name or host.endswith(f".{name}") for name in names)


def _unreachable(host: str, why: str, context: Context) -> Line:
    text = f"{host} cannot be used: {why}"
    cure = "Check the network; behind a proxy set HTTPS_PROXY."
    if "certificate" in why:
        cure = (
            "Behind an institute's proxy set UV_SYSTEM_CERTS=1 (older uv: UV_NATIVE_TLS=1), or SSL_CERT_FILE to its "
            "certificate."
        )
    elif "password" in why:
        cure = "Set UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD for that index, or HTTPS_PROXY with both."
    missing = _to_prepare(context) if context.has_file else []
    if missing:
        return problem(
            f"{text}; {', '.join(missing)} is still to be prepared", f"{cure} What is in uv's cache needs no network."
        )
    return warning(text, f"{cure} Environments that are in step need no network.")


def _to_prepare(context: Context) -> list[str]:
    states = {
        spec.name: condition(place(spec, context.site), context.site).state for spec in context.uv_groups() if spec.name
    }
    return [name for name, state in states.items() if state in (State.MISSING, State.BEHIND)]
