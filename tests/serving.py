"""Run `stepahead serve` as a user does: a process with its own folder and port."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.local_http import share_certificates

START_SECONDS = 120.0
STOP_SECONDS = 90.0
Environment = Mapping[str, str]
NOTHING_SET: Environment = {}
PROGRAM = (sys.executable, "-m", "app.cli")
READY = "Stepahead is ready at "
WITHOUT_WORKER: Environment = {"STEPAHEAD_WORKERS": "0"}
share_certificates()


class Served:
    """A running service.

    Args:
        data_dir: its data directory.
        program: how `stepahead` is run.
        arguments: for `stepahead`.
        environment: variables for it; other STEPAHEAD_ variables of the test run are not passed on.
        folder: its working directory; default: the current one.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        program: tuple[str, ...] = PROGRAM,
        arguments: tuple[str, ...] = ("serve",),
        environment: Environment = NOTHING_SET,
        folder: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._lines: list[str] = []
        clean = {name: value for name, value in os.environ.items() if "STEPAHEAD" not in name}
        self.process = subprocess.Popen(
            [*program, *arguments],
            cwd=folder,
            env={
                "STEPAHEAD_PORT": "0",
                "STEPAHEAD_WARM_READER": "0",
                **clean,
                "STEPAHEAD_DATA_DIR": str(data_dir),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""

    @property
    def output(self) -> str:
        """Return what it has printed so far."""
        return "".join(self._lines)

    def wait_until_ready(self) -> None:
        wait_until(lambda: READY in self.output or self.process.poll() is not None, START_SECONDS)
        assert READY in self.output, self.output
        line = next(line for line in self.output.splitlines() if line.startswith(READY))
        self.url = line.removeprefix(READY).split()[0]

    def children(self) -> dict[str, int]:
        """Return its children's process ids by kind: api, worker, trainer, reader, postgres."""
        return {name: pids[0] for name in MARKS if (pids := self.all_of(name))}

    def all_of(self, name: str) -> list[int]:
        """Return the process ids of all its children of a kind."""
        return [
            pid
            for pid in descendants(self.process.pid)
            if any(mark in command_of(pid) for mark in MARKS[name])
        ]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, wait, and return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS)
        self._reader.join(10)
        return code

    def kill(self) -> None:
        """Kill what is left of it, including children; for the end of a test."""
        left = [*descendants(self.process.pid), self.process.pid]
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                self.process.wait(STOP_SECONDS)
        self._reader.join(10)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._lines.append(line)


MARKS = {
    "api": ("app.cli api",),
    "worker": ("app.cli worker",),
    "trainer": ("app.training.child", "tests.jobs.fake_trainer"),
    "monitoring": ("app.monitoring.child",),
    "reader": ("app.datasets.reader_child",),
    "postgres": ("bin/postgres -D",),
}


def with_fake_trainer(folder: Path) -> Environment:
    """Use a trainer without TensorFlow, for tests of processes rather than networks.

    Each of its epochs takes 0.05 s and is recorded in the folder.
    """
    command = [sys.executable, "-m", "tests.jobs.fake_trainer", "--log", f"{folder}/trainer.log"]
    return {"STEPAHEAD_TRAINER_COMMAND": shlex.join(command)}


@contextmanager
def served(
    data_dir: Path,
    *,
    program: tuple[str, ...] = PROGRAM,
    arguments: tuple[str, ...] = ("serve",),
    environment: Environment = NOTHING_SET,
) -> Iterator[Served]:
    """Yield a service that answers."""
    service = Served(data_dir, program=program, arguments=arguments, environment=environment)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.kill()


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def descendants(pid: int) -> list[int]:
    """Return the descendants of a process, from /proc."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def runs(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
