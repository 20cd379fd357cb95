"""What trains, parses, exports or watches gives way to predictions, as far as Linux lets it.

`POST /predict` over 4 connections, the api on one core, PostgreSQL, worker, trainer, reader and the
client on the other (Linux 6.18): alone 4,500 answers a second with a p99 of 3.5 ms. Beside a
training 1,400 with 9 ms when the trainer was nice only, 4,800 with 4.6 ms since, and the training
had a third as many epochs; beside uploads too 2,200 with 8 ms at a niceness of 10, 4,000 with 6 ms
at 15. From 14 on nothing was gained any more, and whoever else uses the machine has not all of it.
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys
import time
from pathlib import Path

GIVES_WAY = 15  # niceness
GIVES_WAY_MOST = 19
# The most there is; by itself the kernel gives 1 to 3 ms. Of two that wait, who asked for less goes
# first.
SLICE_NANOSECONDS = 100_000_000
AUTOGROUP_TRIES = 10
AUTOGROUP_SECONDS = 0.1  # one change in this time is taken from all of a machine's users
# Python has no call for it.
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
SCHED_ATTR = struct.Struct("IIQiIQQQII")  # size, policy, flags, nice, priority, runtime, …


def give_way(niceness: int) -> None:
    """Let processes that are less nice go first.

    Niceness counts among the processes of a session only, where the kernel shares cores out among
    sessions (autogroup, as most distributions have it). So the session is made nice too, if this
    process leads it; the shell's, if somebody typed the command, is left alone.

    Args:
        niceness: 1 to 19.
    """
    if sys.platform != "linux":
        os.setpriority(os.PRIO_PROCESS, 0, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))
        return
    for thread in Path("/proc/self/task").iterdir():  # to Linux each is a process here
        with contextlib.suppress(ProcessLookupError):  # it has ended
            _give_way_as_thread(int(thread.name), niceness)
    if os.getsid(0) == os.getpid():
        _give_way_as_session(niceness)


def _give_way_as_thread(thread: int, niceness: int) -> None:
    niceness = max(niceness, os.getpriority(os.PRIO_PROCESS, thread))
    os.setpriority(os.PRIO_PROCESS, thread, niceness)
    number = SCHED_SETATTR.get(platform.machine())
    if number is None or os.sched_getscheduler(thread) != os.SCHED_OTHER:
        return
    attributes = SCHED_ATTR.pack(
        SCHED_ATTR.size, os.SCHED_OTHER, 0, niceness, 0, SLICE_NANOSECONDS, 0, 0, 0, 0
    )
    # Before Linux 6.12 it changes nothing, and neither does a refusal.
    ctypes.CDLL(None).syscall(number, thread, attributes, 0)


def _give_way_as_session(niceness: int) -> None:
    for _ in range(AUTOGROUP_TRIES):
        try:
            Path("/proc/self/autogroup").write_text(str(niceness))
        except BlockingIOError:
            time.sleep(AUTOGROUP_SECONDS)
        except OSError:  # a kernel without it, which has no need of it either
            return
        else:
            return
