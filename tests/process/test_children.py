import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.process.children import Child, Program, end_in_order
from app.process.restarts import KEEPS_DYING

IGNORING = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
WAITING = "import time; print('up', flush=True); time.sleep(600)"


def python(script: str, *, grace_seconds: float = 10) -> Program:
    return Program(
        name="child",
        command=(sys.executable, "-c", script),
        environment=dict(os.environ),
        grace_seconds=grace_seconds,
    )


def wait_for(condition: Callable[[], bool], *, tend: Child | None = None) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        if tend is not None:
            tend.tend()
        time.sleep(0.02)


@pytest.fixture
def started() -> Iterator[Callable[[Program], Child]]:
    children: list[Child] = []

    def start(program: Program) -> Child:
        child = Child(program)
        children.append(child)
        child.start()
        return child

    yield start
    end_in_order(children, hastened=lambda: True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_child_is_started_again(started: Callable[[Program], Child]) -> None:
    child = started(python(WAITING))
    first = child.pid
    assert first is not None
    os.kill(first, 9)
    wait_for(lambda: child.pid not in {None, first}, tend=child)


def test_a_child_that_keeps_dying_is_started_ever_again_and_told_of(
    started: Callable[[Program], Child], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    child = started(python("print('no such column: colour'); raise SystemExit(3)"))
    wait_for(lambda: child.trouble is not None, tend=child)
    assert (
        child.trouble == f"child ended {KEEPS_DYING} times in a row, most recently with exit code 3"
    )
    assert list(child.last_words) == ["no such column: colour"]
    wait_for(
        lambda: (
            child.trouble
            == f"child ended {KEEPS_DYING + 1} times in a row, most recently with exit code 3"
        ),
        tend=child,
    )
    assert capfdbinary.readouterr().err.count(b"no such column") == KEEPS_DYING + 1


def test_a_child_that_cannot_be_started_again_is_tried_again(
    started: Callable[[Program], Child], tmp_path: Path
) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    program = replace(python(WAITING), command=(str(link), "-c", WAITING))
    child = started(program)
    first = child.pid
    assert first is not None
    link.unlink()
    os.kill(first, 9)
    wait_for(lambda: child.trouble is not None, tend=child)
    assert child.trouble is not None
    assert "cannot be started" in child.trouble
    link.symlink_to(sys.executable)
    wait_for(lambda: child.pid not in {None, first}, tend=child)


def test_a_child_is_out_of_reach_of_ctrl_c(started: Callable[[Program], Child]) -> None:
    child = started(python(WAITING))
    assert child.pid is not None
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


@pytest.mark.linux
def test_what_a_dead_child_left_behind_goes_with_it(
    started: Callable[[Program], Child], tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    child = started(
        python(
            "import subprocess, sys, time, pathlib; "
            "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
            f"pathlib.Path({str(note)!r}).write_text(str(p.pid) + '.'); time.sleep(600)"
        )
    )
    wait_for(lambda: note.exists() and note.read_text().endswith("."))
    left_behind = int(note.read_text()[:-1])
    assert child.pid is not None
    os.kill(child.pid, 9)
    wait_for(lambda: not running(left_behind), tend=child)


def running(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_orderly_end_waits_for_the_child(started: Callable[[Program], Child]) -> None:
    child = started(
        python(
            "import signal, sys, time\n"
            "def end(*_): time.sleep(0.5); print('finished', flush=True); sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, end)\n"
            "print('up', flush=True)\n"
            "time.sleep(600)"
        )
    )
    wait_for(lambda: "up" in child.last_words)
    end_in_order([child], hastened=lambda: False)
    assert child.pid is None
    assert "finished" in child.last_words


@pytest.mark.parametrize(("grace_seconds", "hastened"), [(0.2, False), (600, True)])
def test_a_child_that_exceeds_its_grace_is_killed(
    started: Callable[[Program], Child], grace_seconds: float, *, hastened: bool
) -> None:
    child = started(python(IGNORING + WAITING, grace_seconds=grace_seconds))
    wait_for(lambda: "up" in child.last_words)
    pid = child.pid
    assert pid is not None
    end_in_order([child], hastened=lambda: hastened)
    assert not alive(pid)


def test_a_flood_of_output_does_not_stop_a_child(
    started: Callable[[Program], Child], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    child = started(
        python(
            "print('x' * 99 + '\\n', end='') or [print('y' * 99) for _ in range(5000)]"
            "; print('done', flush=True); import time; time.sleep(600)"
        )
    )
    wait_for(lambda: "done" in child.last_words)
    assert len(capfdbinary.readouterr().err) > 500_000
