"""What this machine has for steps: cores, memory, GPUs; as far as a container may use them."""

import os
from collections.abc import Mapping
from pathlib import Path

from mlpipe_ci.core.settings import GPUS
from mlpipe_ci.run.resources import Capacity

CGROUP = Path("/sys/fs/cgroup")
"""Limits of a container, by version 2 of control groups (Documentation/admin-guide/cgroup-v2)."""
NVIDIA = Path("/proc/driver/nvidia/gpus")


def capacity(env: Mapping[str, str]) -> Capacity:
    """Cores that this process may use, bytes of memory (None: not known), names of GPUs."""
    return Capacity(cpus=cores(), memory=_memory(), gpus=_gpus(env))


def cores() -> int:
    """Cores that this process may use; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:  # macOS
        found = os.cpu_count() or 1
    limit, _, period = _read(CGROUP / "cpu.max").partition(" ")
    if limit.isdigit() and period.isdigit() and int(period):
        found = min(found, -(-int(limit) // int(period)))
    return max(1, found)


def _memory() -> int | None:
    try:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
    limit = _read(CGROUP / "memory.max")
    return min(found, int(limit)) if limit.isdigit() else found


def _gpus(env: Mapping[str, str]) -> tuple[str, ...]:
    """As CUDA names them: what the variable lets through, else all that the driver knows."""
    if GPUS in env:
        names = (name.strip() for name in env[GPUS].split(","))
        return tuple(name for name in names if name and name != "-1")
    try:
        return tuple(str(number) for number, _ in enumerate(sorted(os.listdir(NVIDIA))))  # noqa: PTH208
    except OSError:
        return ()


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
