import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

AUTOGROUP = Path("/proc/self/autogroup")
OURS = os.getpriority(os.PRIO_PROCESS, 0)  # these tests may be run by `nice`
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
    """What a process that gave way says: policy, niceness twice, its slice, its session's."""
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
    ours = AUTOGROUP.read_text().split()  # nothing in the kernel's first session: it has no group
    assert told(7, leads_session=False)[-1] == (ours[-1] if ours else "none")


def test_who_is_nicer_stays_so() -> None:
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
