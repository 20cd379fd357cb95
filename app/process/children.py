"""Keep child processes running while they are wanted, and end them in order."""

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

LAST_WORDS = 20  # lines of a child's output that are kept for the message if it is given up
POLL_SECONDS = 0.05
DYING_SECONDS = 5.0

logger = get_logger("supervisor")


@dataclass(frozen=True, kw_only=True)
class Program:
    """The program that a child runs."""

    name: str  # "api", "worker 2": shown to people
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)  # includes the database's URL
    inherited: tuple[int, ...] = ()  # file descriptors that the child inherits
    grace_seconds: float  # how long an orderly end may take
    is_vital: bool = True  # whether the service is useless without it


class Child:
    """A process in a session of its own, so that Ctrl-C reaches only the supervisor."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._restarts = Restarts()
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at: float | None = None  # while it waits to be restarted
        self._how = ""  # how it ended the last time
        self.is_vital = program.is_vital
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)  # the last lines of its output
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None while the process is down."""
        return self._process.pid if self._process else None

    @property
    def is_started(self) -> bool:
        """Whether it is running or waiting to be restarted."""
        return self._process is not None or self._start_at is not None

    @property
    def keeps_dying(self) -> bool:
        """Whether it died several times in a row."""
        return self._restarts.keeps_dying

    @property
    def trouble(self) -> str | None:
        """A message about a child that keeps dying, or None."""
        if not self.keeps_dying:
            return None
        deaths = self._restarts.deaths
        return f"{self.program.name} ended {deaths} times in a row, most recently {self._how}"

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
        """Notice a death and restart the process when it is due; call this often."""
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
        """Return whether the process is gone; if so, kill what is left in its session."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        self._clear_away(self._process)
        self._process = None
        return True

    def kill(self) -> None:
        """Kill the process and everything it started."""
        if self._process is not None:
            end_at_once(self._process)

    def _start_again(self, now: float) -> None:
        try:
            self.start()
        except OSError as error:  # the machine is out of memory or process ids
            self._plan_start(now, f"because it cannot be started: {error}")

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        self._process = None
        self._clear_away(process)
        self._plan_start(now, _how_it_ended(process.returncode))

    def _plan_start(self, now: float, how: str) -> None:
        self._how = how
        delay = self._restarts.delay_after_death(now)
        level = logger.error if self._restarts.keeps_dying else logger.warning
        level(
            "ended, restarting",
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
        """Copy the child's output to ours and keep its last lines."""
        if process.stdout is None:
            return
        with process.stdout:
            for line in process.stdout:
                self.last_words.append(line.decode(errors="replace").rstrip())
                # Keep reading even if our own output fails: a full pipe would block the child.
                with contextlib.suppress(OSError):
                    sys.stderr.buffer.write(line)
                    sys.stderr.buffer.flush()


def end_in_order(children: Sequence[Child], *, hastened: Callable[[], bool]) -> None:
    """Ask all children to end and wait; kill those that exceed their grace, or all if hastened."""
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
    """Kill the leader of a session and the rest of its process group.

    The wait for its end is limited, because the kernel ends it in any case.
    """
    stop_giving_way(process.pid)
    _kill_session(process.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(DYING_SECONDS)


def _kill_session(leader: int) -> None:
    """Kill what is left of a process group; its id stays in use while it has members."""
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
