"""Find out whether the kernel has killed processes because memory ran out."""

from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
COUNTER = "oom_kill"


def out_of_memory_kills(*, proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return how many processes of this container or machine were killed so, or None if unknown.

    The count of this process's own control group is preferred, because the machine's includes all
    containers.

    Args:
        proc: folder with the kernel's tables; replaced in tests.
        cgroups: folder with control groups; replaced in tests.
    """
    counters = [*_of_control_groups(proc, cgroups), proc / "vmstat"]
    for counter in counters:
        try:
            text = counter.read_text()
        except OSError:
            continue
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == COUNTER:
                return int(value)
    return None


def _of_control_groups(proc: Path, cgroups: Path) -> list[Path]:
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        inside = path.lstrip("/")
        if not controllers:  # version 2
            found.append(cgroups / inside / "memory.events")
        elif "memory" in controllers.split(","):
            found.append(cgroups / "memory" / inside / "memory.oom_control")
    return found
