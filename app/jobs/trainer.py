"""The worker's side of the trainer child, the only process with TensorFlow.

One child stays warm between jobs; `app.jobs.messages` is the protocol.
"""

import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from app.config import Settings
from app.jobs.messages import Event, Failed, Finished, Ready, Stop, Stopped, TrainingRequest
from app.process.children import end_at_once
from app.process.cpu_priority import stop_giving_way
from app.process.observability import get_logger
from app.process.out_of_memory import out_of_memory_kills
from app.process.programs import python_module

COMMAND = python_module("app.training.child")
START_TRIES = 3  # a child that cannot start is a problem of the worker, not of a job
STOP_SECONDS = 1.5  # for a child's answer to a Stop, before it is replaced
EXIT_SECONDS = 2.0

logger = get_logger(__name__)


def command_of(settings: Settings) -> tuple[str, ...]:
    """Return the command that starts the child, without `--fd N`."""
    if settings.trainer_command is None:
        return COMMAND
    return tuple(shlex.split(settings.trainer_command))


def why_no_training(settings: Settings) -> str | None:
    """Return why no trainer can start here, or None; a command of the settings is trusted."""
    if settings.trainer_command is not None or find_spec("tensorflow") is not None:
        return None
    return "training needs TensorFlow, which is not installed: pip install 'stepahead[train]'"


class TrainerDied(Exception):
    """The child ended in the middle of a run.

    Args:
        exit_code: of the process; negative for the signal that ended it.
        was_ready: whether it had been ready for work.
        out_of_memory: whether the kernel killed processes for lack of memory during its lifetime.
    """

    def __init__(self, exit_code: int, *, was_ready: bool, out_of_memory: bool = False) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code
        self.was_ready = was_ready
        self.out_of_memory = out_of_memory

    @property
    def reason(self) -> str:
        """How it ended, in plain words."""
        if self.exit_code >= 0:
            return f"it ended with exit code {self.exit_code}"
        if self.exit_code == -signal.SIGKILL and self.out_of_memory:
            return (
                "the kernel killed it because memory ran out: try fewer units, a smaller window or "
                "a smaller batch_size"
            )
        return f"it was ended by {signal.Signals(-self.exit_code).name}"


class TrainerUnavailable(Exception):
    """No child can be started here, so the worker is of no use."""


class Abandoned(Exception):
    """Waiting for the child was abandoned, because the worker is stopping."""


class Trainer:
    """One trainer child and its replacements.

    Whoever uses it holds `lock`: an attempt as long as it runs, the worker's watch for a moment.

    Args:
        command: starts the child; `--fd N` is appended.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self.lock = threading.Lock()
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._is_ready = False
        self._is_running = False  # whether a run was begun and has not ended
        self._failed_starts = 0
        self._kills_before: int | None = None  # for lack of memory, when the child was started

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return None if self._process is None else self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether the child is warm."""
        return self._is_ready

    def keep_warm(self) -> None:
        """Start a child if none is alive, and note whether it is ready.

        Raises:
            TrainerUnavailable: several children ended before they were ready, or none can be
                started.
        """
        if self._process is None:
            self._start()
            return
        try:
            self.poll(0)
        except TrainerDied as death:
            self._count_failed_start(death)
            logger.warning("trainer lost while idle", reason=death.reason)
            self._start()

    def wait_ready(self, abandoned: Callable[[], bool]) -> None:
        """Return when the child is warm; start it if necessary.

        Raises:
            TrainerUnavailable: several children ended before they were ready, or none can be
                started.
            Abandoned: `abandoned` became true first.
        """
        while True:
            self.keep_warm()
            if self._is_ready:
                return
            if abandoned():
                raise Abandoned
            time.sleep(0.05)

    def begin(self, request: TrainingRequest) -> None:
        """Send the child a run.

        Raises:
            TrainerDied: there is no child any more.
        """
        self._send(request)
        self._is_running = True

    def poll(self, timeout_seconds: float) -> Event | None:
        """Return the child's next message about its run, or None after the timeout.

        Raises:
            TrainerDied: the child ended.
        """
        if self._pipe is None:
            raise self._bury()
        try:
            if not self._pipe.poll(timeout_seconds):
                return None
            event: Event = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._bury() from error
        if isinstance(event, Ready):
            self._is_ready = True
            self._failed_starts = 0
            logger.info("trainer ready", pid=self.pid, import_seconds=event.import_seconds)
            return None
        if isinstance(event, Finished | Stopped | Failed):
            self._is_running = False
        return event

    def stop(self, *, checkpoint: bool) -> None:
        """Ask the child to end its run.

        Raises:
            TrainerDied: there is no child any more.
        """
        self._send(Stop(checkpoint=checkpoint))

    def drop_run(self) -> None:
        """End the run, if there is one; kill a child that does not answer."""
        if not self._is_running:
            return
        try:
            self.stop(checkpoint=False)
            deadline = time.monotonic() + STOP_SECONDS
            while self._is_running and (left := deadline - time.monotonic()) > 0:
                self.poll(left)
        except TrainerDied:
            return
        if self._is_running:
            self.close(patience_seconds=0)

    def close(self, *, patience_seconds: float = EXIT_SECONDS) -> None:
        """End the child: close its pipe, and kill it if that is not enough."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is None:
            return
        stop_giving_way(self._process.pid)
        try:
            self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            end_at_once(self._process)
        self._process = None
        self._is_ready = self._is_running = False

    def abandon(self) -> None:
        """Kill the child and do not wait: this process is to end, and so does the child."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            stop_giving_way(self._process.pid)
            self._process.kill()

    def _start(self) -> None:
        ours, theirs = Pipe(duplex=True)
        self._kills_before = out_of_memory_kills()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*self._command, "--fd", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    # The kernel divides cores among sessions; only as one of its own does it give
                    # way.
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise TrainerUnavailable(
                    f"the trainer cannot be started: {error}; if STEPAHEAD_TRAINER_COMMAND is set, "
                    "it must begin with an existing program"
                ) from error
        self._pipe = ours
        logger.info("trainer started", pid=self._process.pid)

    def _send(self, message: TrainingRequest | Stop) -> None:
        if self._pipe is None:
            raise self._bury()
        try:
            self._pipe.send(message)
        except OSError as error:
            raise self._bury() from error

    def _bury(self) -> TrainerDied:
        """Return the error for a child whose pipe has closed."""
        process, was_ready = self._process, self._is_ready
        self.close()
        exit_code = 0 if process is None else process.returncode
        kills = out_of_memory_kills()
        return TrainerDied(
            exit_code,
            was_ready=was_ready,
            out_of_memory=kills is not None and kills != self._kills_before,
        )

    def _count_failed_start(self, death: TrainerDied) -> None:
        if death.was_ready:
            return
        self._failed_starts += 1
        if self._failed_starts >= START_TRIES:
            raise TrainerUnavailable(
                f"the trainer ended {self._failed_starts} times before it was ready; the last time "
                f"{death.reason}. Its own output above may say why; training needs TensorFlow (the "
                "extra `train`)"
            ) from death
