"""End PostgreSQL processes that outlived the service that started them.

A `kill -9` of `stepahead serve` leaves its PostgreSQL running. Nothing is lost: what was committed
is on the disk, and the next holder of the data directory's lock ends the orphan and starts its own
server. (PR_SET_PDEATHSIG would end it with the service, but it follows the thread that started
PostgreSQL, not the process. A supervisor that starts it from a short-lived thread would lose it.)
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
ORPHANED_BACKEND_SECONDS = 2.0  # they usually notice by themselves within milliseconds
POLL_SECONDS = 0.02

logger = structlog.get_logger(__name__)


def cluster_name(cluster: Path) -> str:
    """Return PostgreSQL's `cluster_name`, shown in its processes' titles and unique per path."""
    return f"stepahead-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]}"


def postgres_processes(cluster: Path) -> list[int]:
    """Return the ids of all PostgreSQL processes that use `cluster`.

    PostgreSQL changes into the cluster's directory, so the working directory identifies them, even
    after the directory was moved. A stale postmaster.pid whose number now belongs to another
    program does not mislead.
    """
    try:
        wanted = cluster.stat()
    except FileNotFoundError:
        return []
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(entry.name) for entry in entries if _works_on(entry, cluster, wanted)]


def end_leftovers(cluster: Path) -> None:
    """End every PostgreSQL process that uses `cluster`, gently first. The caller holds the lock.

    Raises:
        StartFailed: some did not end.
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
    """Shut down a postmaster: fast first, then immediately (the next start recovers).

    Returns:
        Whether all of its processes have ended.
    """
    for number, seconds in ((signal.SIGINT, FAST_SECONDS), (signal.SIGQUIT, IMMEDIATE_SECONDS)):
        _signal([postmaster], number)
        if _gone_within(seconds, cluster):
            return True
    return False


def read_postmaster_pid(cluster: Path) -> int | None:
    """Return the process id in postmaster.pid, or None if there is no such file or number."""
    try:
        return int((cluster / "postmaster.pid").read_text(errors="replace").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def forget_foreign_pid(cluster: Path) -> None:
    """Remove a postmaster.pid whose number now belongs to another program.

    PostgreSQL would take that program for a postmaster and refuse to start. This happens in
    containers, where process ids are small and recur. Only called when no PostgreSQL uses the
    cluster. A pid that belongs to no process is left to PostgreSQL's own checks.
    """
    pid = read_postmaster_pid(cluster)
    if pid is not None and Path(f"/proc/{pid}").exists():
        logger.warning("removed a stale postmaster.pid", cluster=str(cluster), pid=pid)
        (cluster / "postmaster.pid").unlink()


def _works_on(process: Path, cluster: Path, wanted: os.stat_result) -> bool:
    try:
        program = (process / "exe").readlink().name.removesuffix(" (deleted)")
        return program == "postgres" and os.path.samestat((process / "cwd").stat(), wanted)
    # root in a container may not read the link, but may read the command line
    except PermissionError:
        return _is_called_for(process, cluster)
    except OSError:  # it has just ended
        return False


def _is_called_for(process: Path, cluster: Path) -> bool:
    """Recognise a process by the postmaster's arguments or by the title of its children."""
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
