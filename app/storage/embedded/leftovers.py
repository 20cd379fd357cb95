"""PostgreSQL processes that outlived the service that started them.

A `kill -9` of `stepahead serve` leaves its PostgreSQL running. That loses nothing: what was
committed is on the disk, and who holds the data directory's lock next ends the orphan and starts
its own. (PR_SET_PDEATHSIG would end it with the service, but it follows the thread that started
PostgreSQL, not the process: a supervisor that starts it from a short-lived thread would lose it.)
"""

import hashlib
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

from app.storage.embedded.errors import StartFailed

FAST_SECONDS, IMMEDIATE_SECONDS, KILL_SECONDS = 30.0, 10.0, 10.0
ORPHANED_BACKEND_SECONDS = 2.0  # they notice by themselves, usually within milliseconds
POLL_SECONDS = 0.02

logger = structlog.get_logger(__name__)


def cluster_name(cluster: Path) -> str:
    """PostgreSQL's `cluster_name`, which it shows in its processes' titles; one per path."""
    return f"stepahead-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]}"


def postgres_processes(cluster: Path) -> list[int]:
    """The process ids of every PostgreSQL process at work on `cluster`.

    PostgreSQL changes into the cluster's directory, so the working directory tells, also after
    the directory was moved, and a stale postmaster.pid whose number was given to another program
    does not mislead.
    """
    try:
        wanted = cluster.stat()
    except FileNotFoundError:
        return []
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(entry.name) for entry in entries if _works_on(entry, cluster, wanted)]


def end_leftovers(cluster: Path) -> None:
    """End every PostgreSQL process on `cluster`, gently first. The caller holds the lock.

    Raises:
        StartFailed: some would not end.
    """
    pids = postgres_processes(cluster)
    if not pids:
        return
    postmaster = read_postmaster_pid(cluster)
    logger.warning(
        "ending PostgreSQL processes that were left behind", pids=pids, cluster=str(cluster)
    )
    if postmaster in pids:
        if end_gently(postmaster, cluster):
            return
    elif _gone_within(ORPHANED_BACKEND_SECONDS, cluster):
        return
    _signal(postgres_processes(cluster), signal.SIGKILL)
    if not _gone_within(KILL_SECONDS, cluster):
        raise StartFailed(
            f"PostgreSQL processes {postgres_processes(cluster)} of an earlier service are still "
            f"at work on {cluster} and do not end. End them, or restart the machine."
        )


def end_gently(postmaster: int, cluster: Path) -> bool:
    """Shut a postmaster down: fast, then at once (recovery follows at the next start).

    Returns:
        Whether all of its processes have ended.
    """
    for number, seconds in ((signal.SIGINT, FAST_SECONDS), (signal.SIGQUIT, IMMEDIATE_SECONDS)):
        _signal([postmaster], number)
        if _gone_within(seconds, cluster):
            return True
    return False


def read_postmaster_pid(cluster: Path) -> int | None:
    """The process id in postmaster.pid; None if there is no such file or no number in it."""
    try:
        return int((cluster / "postmaster.pid").read_text(errors="replace").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def forget_foreign_pid(cluster: Path) -> None:
    """Remove a postmaster.pid whose number now belongs to another program.

    PostgreSQL would take that program for a postmaster and refuse to start, as happens in
    containers, where process ids are small and come again. Only called when no PostgreSQL is at
    work on the cluster; a pid that belongs to nobody is left to PostgreSQL's own checks.
    """
    pid = read_postmaster_pid(cluster)
    if pid is not None and Path(f"/proc/{pid}").exists():
        logger.warning("removed a stale postmaster.pid", cluster=str(cluster), pid=pid)
        (cluster / "postmaster.pid").unlink()


def _works_on(process: Path, cluster: Path, wanted: os.stat_result) -> bool:
    try:
        program = (process / "exe").readlink().name.removesuffix(" (deleted)")
        return program == "postgres" and os.path.samestat((process / "cwd").stat(), wanted)
    except PermissionError:  # root in a container may not look, but may read the command line
        return _is_called_for(process, cluster)
    except OSError:  # it has just ended
        return False


def _is_called_for(process: Path, cluster: Path) -> bool:
    """By the postmaster's arguments, or the title that its children give themselves."""
    try:
        line = (process / "cmdline").read_bytes()
    except OSError:
        return False
    program, *arguments = line.split(b"\0")
    if line.startswith(f"postgres: {cluster_name(cluster)}: ".encode()):
        return True
    started = arguments[:2] == [b"-D", os.fsencode(cluster)]
    return started and Path(os.fsdecode(program)).name == "postgres"


def _gone_within(seconds: float, cluster: Path) -> bool:
    deadline = time.monotonic() + seconds
    while postgres_processes(cluster):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
