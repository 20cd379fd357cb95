"""Child processes that are kept alive while they are wanted, and ended in order."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.process.cpu_priority import stop_giving_way
from app.process.observability import get_logger
from app.process.restarts import Restarts

LAST_WORDS = 20  # lines of a child's output kept for the message when it is given up
POLL_SECONDS = 0.05
DYING_SECONDS = 5.0

logger = get_logger("supervisor")


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a child runs."""

    name: str  # "api", "worker 2": for people
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)  # carries the database's URL
    inherited: tuple[int, ...] = ()  # file descriptors it keeps
    grace_seconds: float  # for an orderly end
    is_vital: bool = True  # whether a service without it is worth nothing


class Child:
    """One process in a session of its own, so that Ctrl-C reaches the supervisor alone."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._restarts = Restarts()
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at: float | None = None  # while waiting to be started again
        self._how = ""  # it ended the last time
        self.is_vital = program.is_vital
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)  # the end of its output
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None while it is down."""
        return self._process.pid if self._process else None

    @property
    def is_started(self) -> bool:
        """Whether it runs, or will be started again."""
        return self._process is not None or self._start_at is not None

    @property
    def trouble(self) -> str | None:
        """What there is to say of a child that keeps dying."""
        if not self._restarts.keeps_dying:
            return None
        return (
            f"{self.program.name} ended {self._restarts.deaths} times in a row, at last {self._how}"
        )

    def start(self) -> None:
        """Start the process."""
        self.last_words.clear()
        self._restarts.started(time.monotonic())
        self._process = subprocess.Popen(
            self.program.command,
            env=dict(self.program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self.program.inherited,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._pass_on, args=(self._process,), daemon=True)
        self._reader.start()
        logger.debug("started", child=self.program.name, pid=self._process.pid)

    def tend(self) -> None:
        """Notice a death and start the process again when its time has come; call it often."""
        now = time.monotonic()
        if self._process is None:
            if self._start_at is not None and now >= self._start_at:
                self._start_at = None
                self._start_again(now)
        elif self._process.poll() is None:
            self._restarts.alive(now)
        else:
            self._bury(self._process, now)

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._start_at = None
        if self._process is not None:
            self._process.terminate()
            stop_giving_way(self._process.pid)

    def ended(self) -> bool:
        """Whether it is gone; what it left in its session goes with it."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        self._clear_away(self._process)
        self._process = None
        return True

    def kill(self) -> None:
        """End the process and all it started, at once."""
        if self._process is not None:
            end_at_once(self._process)

    def _start_again(self, now: float) -> None:
        try:
            self.start()
        except OSError as error:  # no memory or no process ids are left on this machine
            self._plan_start(now, f"since it cannot be started: {error}")

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        self._process = None
        self._clear_away(process)
        self._plan_start(now, _how_it_ended(process.returncode))

    def _plan_start(self, now: float, how: str) -> None:
        self._how = how
        delay = self._restarts.delay_after_death(now)
        level = logger.error if self._restarts.keeps_dying else logger.warning
        level(
            "ended, starts again",
            child=self.program.name,
            how=how,
            deaths=self._restarts.deaths,
            delay_seconds=delay,
        )
        self._start_at = now + delay

    def _clear_away(self, process: subprocess.Popen[bytes]) -> None:
        _kill_session(process.pid)
        if self._reader is not None:
            self._reader.join(timeout=1)

    def _pass_on(self, process: subprocess.Popen[bytes]) -> None:
        """Show the child's output as ours, and keep its end."""
        if process.stdout is None:
            return
        with process.stdout:
            for line in process.stdout:
                self.last_words.append(line.decode(errors="replace").rstrip())
                # Read on whatever becomes of our own output: a full pipe would stop the child.
                with contextlib.suppress(OSError):
                    sys.stderr.buffer.write(line)
                    sys.stderr.buffer.flush()


def end_in_order(children: Sequence[Child], *, hastened: Callable[[], bool]) -> None:
    """Ask all to end at once and wait; kill what outstays its grace, or all when hastened."""
    for child in children:
        child.ask_to_end()
    started = time.monotonic()
    for child in children:
        while not child.ended():
            waited = time.monotonic() - started
            if hastened() or waited > child.program.grace_seconds:
                logger.warning("killed", child=child.program.name, waited_seconds=round(waited, 1))
                child.kill()
            time.sleep(POLL_SECONDS)


def end_at_once(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process that leads a session, and the rest of its group.

    It is waited for, but not forever: the kernel ends it all the same.
    """
    stop_giving_way(process.pid)
    _kill_session(process.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(DYING_SECONDS)


def _kill_session(leader: int) -> None:
    """Kill what is left of a process group; its id stays taken while it has members."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _how_it_ended(returncode: int) -> str:
    if returncode >= 0:
        return f"with exit code {returncode}"
    try:
        return f"by signal {signal.Signals(-returncode).name}"
    except ValueError:
        return f"by signal {-returncode}"
