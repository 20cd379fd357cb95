"""Measure how much memory this process may use: the machine's, or less if a cgroup limits it.

Even inside a container, `/proc/meminfo` describes the machine. The container's limit is that of its
cgroup or of any cgroup above it (`memory.max` in version 2, `memory.limit_in_bytes` in version 1).
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
KIB = 1024
NO_LIMIT = 1 << 60  # version 1 writes "no limit" as a number near 2^63


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The memory of the machine or container that this process runs in."""

    limit_bytes: int  # the smallest of the machine's memory and all limits of its cgroups
    available_bytes: int  # memory that can be used now without swapping


@dataclass(frozen=True, kw_only=True)
class _Hierarchy:
    """The files of one version of cgroups."""

    limit: str
    usage: str
    reclaimable: str  # in memory.stat: page cache that the kernel gives up first


VERSION_1 = _Hierarchy(
    limit="memory.limit_in_bytes",
    usage="memory.usage_in_bytes",
    reclaimable="total_inactive_file",
)
VERSION_2 = _Hierarchy(limit="memory.max", usage="memory.current", reclaimable="inactive_file")


def read_memory(proc: Path = PROC) -> Memory:
    """Measure the memory that this process may use.

    Args:
        proc: where the proc file system is mounted.
    """
    try:
        meminfo = _fields(proc / "meminfo")
        limit, available = meminfo["MemTotal"] * KIB, meminfo["MemAvailable"] * KIB
    except (OSError, KeyError):  # not Linux
        return Memory(limit_bytes=_physical_bytes(), available_bytes=_physical_bytes())
    for folder, hierarchy in _cgroups(proc):
        group = _limit_of(folder, hierarchy)
        if group is not None:
            limit = min(limit, group.limit_bytes)
            available = min(available, group.available_bytes)
    return Memory(limit_bytes=limit, available_bytes=available)


def _limit_of(folder: Path, hierarchy: _Hierarchy) -> Memory | None:
    """Return the limit of a cgroup and what is left of it, or None if it has no limit."""
    try:
        limit = (folder / hierarchy.limit).read_text().strip()
        if limit == "max" or int(limit) >= NO_LIMIT:
            return None
        used = int((folder / hierarchy.usage).read_text())
        reclaimable = _fields(folder / "memory.stat").get(hierarchy.reclaimable, 0)
    except OSError:  # the root has no such files, and others may not be readable
        return None
    left = max(0, int(limit) - used + reclaimable)
    return Memory(limit_bytes=int(limit), available_bytes=left)


def _cgroups(proc: Path) -> list[tuple[Path, _Hierarchy]]:
    """List the cgroups of this process, including all that are above them."""
    found: list[tuple[Path, _Hierarchy]] = []
    try:
        groups = (proc / "self/cgroup").read_text().splitlines()
        mounts = (proc / "self/mountinfo").read_text().splitlines()
    except OSError:
        return found
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            hierarchy, place = VERSION_2, _mounted(mounts, "cgroup2", None)
        elif "memory" in controllers.split(","):
            hierarchy, place = VERSION_1, _mounted(mounts, "cgroup", "memory")
        else:
            continue
        if place is not None:
            mount_point, root = place
            folder = mount_point / _below(path, root)
            above = [folder, *folder.parents]
            found += [(each, hierarchy) for each in above if each.is_relative_to(mount_point)]
    return found


def _mounted(mounts: list[str], kind: str, option: str | None) -> tuple[Path, str] | None:
    """Find where a cgroup file system is mounted, and which of its folders is mounted there."""
    for line in mounts:
        before, _, after = line.partition(" - ")
        fields, (file_system, _, options) = before.split(), after.split()
        if file_system == kind and (option is None or option in options.split(",")):
            return Path(fields[4]), fields[3]
    return None


def _below(path: str, root: str) -> str:
    """Return a cgroup's path relative to the mount; a container sees its own cgroup as the root."""
    if root != "/" and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    return "" if ".." in path else path.lstrip("/")


def _fields(path: Path) -> dict[str, int]:
    """Read lines that consist of a name and a number."""
    fields = {}
    for line in path.read_text().splitlines():
        name, number, *_ = line.replace(":", " ").split()
        fields[name] = int(number)
    return fields


def _physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
