"""Give predictions priority over training, parsing, exports and monitoring, as Linux allows.

Measured: `POST /predict` over 4 connections, the api on one core; PostgreSQL, worker, trainer,
reader and the client on the other (Linux 6.18). Alone: 4,500 answers a second, p99 3.5 ms. During a
training: 1,400 and 9 ms if only the trainer is nice; 4,800 and 4.6 ms with the code below, at a
third of the epochs. During uploads as well: 2,200 and 8 ms at a niceness of 10, 4,000 and 6 ms at
15. Above 14 nothing was gained.

On a very busy machine, a nice process gets almost nothing: at a load of 45, 1 s of processor time
in 205 s. `CpuFloor` makes sure that it gets a minimum share.
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from app.process.observability import get_logger

logger = get_logger(__name__)

GIVES_WAY = 15  # niceness
GIVES_WAY_MOST = 19
# The largest slice that is possible; the kernel's default is 1 to 3 ms. Of two waiting processes,
# the one that asked for the shorter slice goes first.
SLICE_NANOSECONDS = 100_000_000
AUTOGROUP_TRIES = 10
AUTOGROUP_SECONDS = 0.1  # in this time the kernel accepts one change from all users of the machine
# Python has no function for this system call.
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
SCHED_ATTR = struct.Struct("IIQiIQQQII")  # size, policy, flags, nice, priority, runtime, …

FLOOR = 0.1  # of a core, as long as the process has work
WINDOW_SECONDS = 5.0
STEP = 5  # of niceness; a factor of three in weight
WAITS = 0.5  # a process that waits for a core for this share of the time has work to do


def give_way(niceness: int) -> None:
    """Let processes with a lower niceness go first.

    Where the kernel shares cores among sessions (autogroup, the default of most distributions),
    niceness only counts within a session. So if this process leads its session, the session is made
    nice, too. The session of a shell in which somebody typed the command is left alone.

    Args:
        niceness: 1 to 19.
    """
    if sys.platform != "linux":
        os.setpriority(os.PRIO_PROCESS, 0, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))
        return
    for thread in _threads(os.getpid()):
        with contextlib.suppress(ProcessLookupError):  # the thread has ended
            _set_niceness_of_thread(thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))
    _set_niceness_of_session(os.getpid(), niceness)


class CpuFloor:
    """Lowers the niceness of a process while it is starved, and raises it again.

    Where the kernel shares cores among sessions, every user may do so; otherwise only root. The
    process must lead its own session.

    Args:
        name: of the process, for the log.
        most: the niceness that the process gave itself.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._pid: int | None = None
        self._niceness = most
        self._since = CpuTimes(at=0.0, ran=0.0, waited=0.0)

    def look(self, pid: int | None) -> None:
        """Compare the time that the process got with what it wanted; call this about every second.

        Args:
            pid: of the process; None while there is none.
        """
        now = cpu_times(pid) if pid is not None else None
        if pid != self._pid or now is None:
            self._pid, self._niceness = pid, self._most
            self._since = now or CpuTimes(at=0.0, ran=0.0, waited=0.0)
            return
        seconds = now.at - self._since.at
        if pid is None or seconds < WINDOW_SECONDS:
            return
        ran = (now.ran - self._since.ran) / seconds
        waited = (now.waited - self._since.waited) / seconds
        self._since = now
        niceness = fitting_niceness(self._niceness, most=self._most, ran=ran, waited=waited)
        if niceness != self._niceness:
            logger.info(
                "niceness changed", child=self._name, niceness=niceness, share=round(ran, 3)
            )
            self._niceness = niceness
            set_niceness(pid, niceness)


def fitting_niceness(niceness: int, *, most: int, ran: float, waited: float) -> int:
    """Return the next niceness of a process: lower while it is starved, otherwise up to `most`.

    Args:
        niceness: the current one.
        most: the niceness that the process gave itself.
        ran: share of a core that it had.
        waited: share of the time that its threads waited for a core.
    """
    if ran < FLOOR and waited > WAITS:
        return max(0, niceness - STEP)
    if ran > 3 * FLOOR:
        return min(most, niceness + STEP)
    return niceness


@dataclass(frozen=True, kw_only=True)
class CpuTimes:
    """The time that the threads of a process have used so far, in seconds."""

    at: float  # by a monotonic clock
    ran: float
    waited: float  # for a core, while they had work


def cpu_times(pid: int) -> CpuTimes | None:
    """Return the times of a process, or None if it has ended or the kernel does not count them."""
    ran = waited = 0
    for thread in _threads(pid):
        try:
            fields = Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()
        except OSError:  # the thread has ended
            continue
        ran += int(fields[0])
        waited += int(fields[1])
    if not ran:
        return None
    return CpuTimes(at=time.monotonic(), ran=ran / 1e9, waited=waited / 1e9)


def stop_giving_way(pid: int) -> None:
    """Give a process that is about to end the priority of this one, as far as allowed.

    Even dying takes a turn on a core: at a load of 45, a nice process died 15 seconds after its
    SIGKILL.
    """
    set_niceness(pid, os.getpriority(os.PRIO_PROCESS, 0))


def set_niceness(pid: int, niceness: int) -> None:
    """Change the niceness of another process and of the session it leads, as far as allowed."""
    for thread in _threads(pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            _set_niceness_of_thread(thread, niceness)
    _set_niceness_of_session(pid, niceness)


def _threads(pid: int) -> list[int]:
    """List the threads of a process; Linux schedules each of them separately."""
    try:
        return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        return []


def _set_niceness_of_thread(thread: int, niceness: int) -> None:
    os.setpriority(os.PRIO_PROCESS, thread, niceness)
    number = SCHED_SETATTR.get(platform.machine())
    if number is None or os.sched_getscheduler(thread) != os.SCHED_OTHER:
        return
    attributes = SCHED_ATTR.pack(
        SCHED_ATTR.size, os.SCHED_OTHER, 0, niceness, 0, SLICE_NANOSECONDS, 0, 0, 0, 0
    )
    # Before Linux 6.12 this changes nothing; a refusal changes nothing either.
    ctypes.CDLL(None).syscall(number, thread, attributes, 0)


def _set_niceness_of_session(pid: int, niceness: int) -> None:
    try:
        if os.getsid(pid) != pid:
            return
    except ProcessLookupError:
        return
    for _ in range(AUTOGROUP_TRIES):
        try:
            Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
        except BlockingIOError:
            time.sleep(AUTOGROUP_SECONDS)
        except OSError:  # a kernel without autogroup, which does not need this either
            return
        else:
            return
