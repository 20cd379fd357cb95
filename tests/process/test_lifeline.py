import subprocess
import sys

from app.process.lifeline import Lifeline

CHILD = """
import sys, time, signal
from app.process.lifeline import end_with
{before}
end_with(int(sys.argv[1]), grace_seconds=0.5)
print("up", flush=True)
time.sleep(600)
"""


def start(lifeline: Lifeline, before: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(before=before), str(lifeline.reading_end)],
        pass_fds=(lifeline.reading_end,),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def test_a_child_ends_in_order_when_its_supervisor_is_gone() -> None:
    handled = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    with Lifeline() as lifeline:
        process = start(lifeline, handled)
        assert process.poll() is None
    with process:
        assert process.wait(timeout=30) == 7


def test_a_child_that_does_not_end_in_order_is_cut_short() -> None:
    with Lifeline() as lifeline:
        process = start(lifeline, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with process:
        assert process.wait(timeout=30) == -9
