import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.process import cpu_priority
from app.process.cpu_priority import (
    FLOOR,
    CpuFloor,
    cpu_times,
    fitting_niceness,
    stop_giving_way,
)

AUTOGROUP = Path("/proc/self/autogroup")
OURS = os.getpriority(os.PRIO_PROCESS, 0)  # these tests may themselves be run by `nice`
TELLING = """
import ctypes, os, pathlib, sys
from app.process.cpu_priority import SCHED_ATTR, give_way
group = pathlib.Path("/proc/self/autogroup")
give_way(int(sys.argv[1]))
attributes = ctypes.create_string_buffer(SCHED_ATTR.size)
assert ctypes.CDLL(None).syscall({"x86_64": 315, "aarch64": 275}[os.uname().machine], 0,
                                 attributes, SCHED_ATTR.size, 0) == 0
_, policy, _, niceness, _, slice_nanoseconds, *_ = SCHED_ATTR.unpack(attributes.raw)
told = group.read_text().split() if group.exists() else []
session = told[-1] if told else "none"
print(policy, niceness, os.getpriority(os.PRIO_PROCESS, 0), slice_nanoseconds, session)
"""


def told(niceness: int, *, leads_session: bool, before: int = 0) -> list[str]:
    """Return what a process that gave way prints: policy, niceness (twice), slice, session's."""
    command = ["nice", "-n", str(before), sys.executable, "-c", TELLING, str(niceness)]
    return subprocess.run(
        command, start_new_session=leads_session, capture_output=True, text=True, check=True
    ).stdout.split()


pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="other numbers of system calls",
)

AS_ON_MACOS = """
import os, sys
from app.process.cpu_priority import give_way
sys.platform = "darwin"
del os.sched_getscheduler, os.SCHED_OTHER
give_way(7)
print(os.getpriority(os.PRIO_PROCESS, 0))
"""


def test_a_process_and_its_session_give_way() -> None:
    policy, *niceness, _, session = told(7, leads_session=True)
    assert (policy, niceness) == (str(os.SCHED_OTHER), [str(max(7, OURS))] * 2)
    assert session == ("7" if AUTOGROUP.exists() else "none")


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel does not group sessions")
def test_a_session_of_others_is_left_alone() -> None:
    ours = AUTOGROUP.read_text().split()  # the kernel's first session has no group, so nothing
    assert told(7, leads_session=False)[-1] == (ours[-1] if ours else "none")


def test_a_nicer_process_stays_nicer() -> None:
    assert told(7, leads_session=True, before=12)[1:3] == [str(min(OURS + 12, 19))] * 2


def test_its_turn_comes_late_where_the_kernel_knows_of_it() -> None:
    major, minor = (int(part) for part in platform.release().split(".")[:2])
    if (major, minor) < (6, 12):
        pytest.skip("before Linux 6.12 all ask for as much")
    assert told(7, leads_session=True)[3] == "100000000"


def test_where_python_knows_no_scheduler_a_process_is_nice_only() -> None:
    command = [sys.executable, "-c", AS_ON_MACOS]
    niceness = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert niceness == f"{max(7, OURS)}\n"


GIVING_WAY = """
from app.process.cpu_priority import give_way
give_way(19)
print(flush=True)
input()
"""


@pytest.mark.skipif(
    not AUTOGROUP.exists() or os.geteuid() != 0, reason="an ordinary user changes sessions alone"
)
def test_what_is_to_end_does_not_give_way_any_more() -> None:
    command = [sys.executable, "-c", GIVING_WAY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 19
        stop_giving_way(process.pid)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == OURS
        group = Path(f"/proc/{process.pid}/autogroup").read_text().split()
        assert group[-1] == str(OURS)
        process.kill()


@pytest.mark.parametrize(
    ("niceness", "ran", "waited", "expected"),
    [
        (19, 0.05, 0.95, 14),  # starved
        (4, 0.05, 0.95, 0),
        (0, 0.02, 0.95, 0),  # the minimum has been reached
        (14, 0.2, 0.8, 14),  # it gets the share that it should
        (14, 0.9, 0.1, 19),  # there is capacity again
        (19, 0.9, 0.1, 19),
        (19, 0.0, 0.0, 19),  # idle
        (14, 0.02, 0.1, 14),  # almost no work
    ],
)
def test_what_is_starved_gives_way_less(
    niceness: int, ran: float, waited: float, expected: int
) -> None:
    assert fitting_niceness(niceness, most=19, ran=ran, waited=waited) == expected


BUSY = "while True: pass"
BUSY_AND_NICE = GIVING_WAY.replace("input()", BUSY)


@pytest.mark.slow
@pytest.mark.skipif(
    not AUTOGROUP.exists() and os.geteuid() != 0, reason="only root may lower a niceness here"
)
def test_a_process_that_gave_way_gets_its_share_on_a_busy_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu_priority, "WINDOW_SECONDS", 1.5)  # 5 seconds keep a core busy in vain
    core = min(os.sched_getaffinity(0))
    started: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> subprocess.Popen[bytes]:
        command = ["taskset", "--cpu-list", str(core), sys.executable, "-c", script]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        return process

    try:
        nice = start(BUSY_AND_NICE)
        assert nice.stdout is not None
        nice.stdout.readline()  # it has given way
        for _ in range(8):
            start(BUSY)
        floor = CpuFloor("test", 19)
        before = share_of(nice.pid, floor)
        assert before < FLOOR
        deadline = time.monotonic() + 120
        while share_of(nice.pid, floor) < 2 * before:
            assert time.monotonic() < deadline
    finally:
        for process in started:
            process.kill()
            process.communicate()


def share_of(pid: int, floor: CpuFloor) -> float:
    """Return the share of a core that a process gets during one window, with a floor."""
    before = cpu_times(pid)
    assert before is not None
    until = time.monotonic() + cpu_priority.WINDOW_SECONDS + 0.5
    while time.monotonic() < until:
        floor.look(pid)
        time.sleep(0.2)
    now = cpu_times(pid)
    assert now is not None
    return (now.ran - before.ran) / (now.at - before.at)
