"""Which of the caller's variables reach uv and its Python, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping

from runner.environments.leaks import leaks

# start of a name -> why it is dropped
POISON_PREFIXES = {
    "CONDA_": "an environment that is active around the runner; uv would install into it",
    "_CONDA_": "conda's own notes about an active environment",
    "_CE_": "the same",
    "__CONDA_": "the same",
    "UV_": "most change what is installed or which project is used; see ALLOWED",
}

# UV_ variables that do not change what is installed, only how it gets here
ALLOWED = {
    "UV_CACHE_DIR": "where downloads are kept",
    "UV_OFFLINE": "no network is to be used",
    "UV_LINK_MODE": "cache and environments on different disks",
    "UV_COMPILE_BYTECODE": "faster first start against a faster install",
    "UV_PYTHON_INSTALL_DIR": "Pythons of uv on a share",
    "UV_PYTHON_CACHE_DIR": "where downloaded Pythons are kept",
    "UV_PYTHON_DOWNLOADS": "whether Pythons may be downloaded",
    "UV_PYTHON_DOWNLOADS_JSON_URL": "the list of Pythons inside a closed network",
    "UV_PYTHON_PREFERENCE": "uv's own Pythons or the system's",
    "UV_MANAGED_PYTHON": "only uv's own Pythons",
    "UV_NO_MANAGED_PYTHON": "only the system's Pythons",
    "UV_PYTHON_INSTALL_MIRROR": "Pythons from inside a closed network",
    "UV_PYPY_INSTALL_MIRROR": "the same for PyPy",
    "UV_PYTHON_NO_REGISTRY": "Windows: leave the registry alone",
    "UV_PYTHON_INSTALL_REGISTRY": "Windows: leave the registry alone",
    "UV_HTTP_TIMEOUT": "slow networks",
    "UV_HTTP_CONNECT_TIMEOUT": "slow networks",
    "UV_HTTP_RETRIES": "unreliable networks",
    "UV_REQUEST_TIMEOUT": "slow networks (older name)",
    "UV_LOCK_TIMEOUT": "slow shares",
    "UV_NATIVE_TLS": "certificates of the institute",
    "UV_SYSTEM_CERTS": "certificates of the institute",
    "UV_INSECURE_HOST": "a server of the institute without a certificate",
    "UV_CONCURRENT_DOWNLOADS": "how much at once",
    "UV_CONCURRENT_BUILDS": "how much at once",
    "UV_CONCURRENT_INSTALLS": "how much at once",
    "UV_KEYRING_PROVIDER": "where passwords are kept",
    "UV_CREDENTIALS_DIR": "where passwords are kept",
    "UV_FIND_LINKS": "a folder of wheels inside a closed network",
    "UV_GIT_LFS": "whether large files of git sources are fetched",
    "UV_NO_PROGRESS": "how much is shown",
    "UV_TEST_NO_CLI_PROGRESS": "how much is shown",
    "UV_LOG_CONTEXT": "how much is shown",
}
# user name and password of an index that pyproject.toml names
_CREDENTIALS = ("_USERNAME", "_PASSWORD")


def unwanted(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names of `environ` that a command of uv is started without."""
    return tuple(sorted(leaks(environ) | {name for name in environ if _is_unwanted(name.upper())}))


def flag_is_set(environ: Mapping[str, str], name: str) -> bool:
    """Whether a yes/no variable says yes, as uv reads it."""
    return environ.get(name, "").strip().lower() in ("1", "true", "t", "yes", "y", "on")


def no_git(environ: Mapping[str, str]) -> dict[str, str]:
    """For uv where no network is used: an older one does not keep git from it."""
    return {"GIT_ALLOW_PROTOCOL": "file"} if flag_is_set(environ, "UV_OFFLINE") else {}


def _is_unwanted(name: str) -> bool:
    if name in ALLOWED or (name.startswith("UV_INDEX_") and name.endswith(_CREDENTIALS)):
        return False
    return name.startswith(tuple(POISON_PREFIXES))
