"""Which NVIDIA driver and which GPU a CUDA version needs.

Sources: NVIDIA, "CUDA Toolkit Release Notes", tables of toolkit driver versions and of minimum driver versions for
minor version compatibility; "CUDA Compatibility", minor version compatibility; the compute capabilities from
"CUDA GPUs" and from the release notes' lists of what was added and dropped.
"""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

Release = tuple[int, ...]

# CUDA -> the driver that came with it: (Linux, Windows)
TOOLKIT_DRIVERS: dict[tuple[int, int], tuple[str, str]] = {
    (11, 6): ("510.39.01", "511.23"),
    (11, 7): ("515.43.04", "516.01"),
    (11, 8): ("520.61.05", "520.06"),
    (12, 0): ("525.60.13", "527.41"),
    (12, 1): ("530.30.02", "531.14"),
    (12, 2): ("535.54.03", "536.25"),
    (12, 3): ("545.23.06", "545.84"),
    (12, 4): ("550.54.14", "551.61"),
    (12, 5): ("555.42.02", "555.85"),
    (12, 6): ("560.28.03", "560.76"),
    (12, 8): ("570.26", "570.65"),
    (12, 9): ("575.51.03", "576.02"),
    (13, 0): ("580.65.06", "580.65"),
    (13, 1): ("590.44.01", "590.44"),
}
# CUDA's first number -> the oldest driver on which programs of any of its versions start: (Linux, Windows)
OLDEST_DRIVERS: dict[int, tuple[str, str]] = {
    11: ("450.80.02", "452.39"),
    12: ("525.60.13", "528.33"),
    13: ("580.65.06", "580.65"),
}
# the first CUDA whose programs know a GPU of that compute capability, the newest first
FIRST_CUDA: tuple[tuple[Release, tuple[int, int]], ...] = (
    ((12, 0), (12, 8)),  # Blackwell, RTX 50
    ((10, 0), (12, 8)),  # Blackwell, B200
    ((9, 0), (11, 8)),  # Hopper
    ((8, 0), (11, 0)),  # Ampere; Ada runs the same programs
    ((7, 5), (10, 0)),  # Turing
    ((7, 0), (9, 0)),  # Volta
)
# CUDA 13 dropped what is older than Turing
OLDEST_GPU_OF_CUDA_13: Release = (7, 5)


def numbers(text: str) -> Release:
    """560.28.03 -> (560, 28, 3); () for what is no version."""
    try:
        return Version(text).release
    except InvalidVersion:
        return ()


def oldest_driver(cuda: tuple[int, int], *, windows: bool) -> str:
    """The oldest driver for `cuda`, "" where it is not known."""
    return OLDEST_DRIVERS.get(cuda[0], ("", ""))[windows]


def toolkit_driver(cuda: tuple[int, int], *, windows: bool) -> str:
    """The driver that came with `cuda`, "" where it is not known."""
    return TOOLKIT_DRIVERS.get(cuda, ("", ""))[windows]


def cuda_of_driver(driver: str, *, windows: bool) -> tuple[int, int] | None:
    """The newest CUDA of the table that `driver` has everything for."""
    own = numbers(driver)
    fitting = [cuda for cuda, names in TOOLKIT_DRIVERS.items() if own and own >= numbers(names[windows])]
    return max(fitting, default=None)


def first_cuda(capability: Release) -> tuple[int, int] | None:
    """The first CUDA whose programs know a GPU of this compute capability; None for one that all know."""
    return next((cuda for known, cuda in FIRST_CUDA if capability >= known), None)
