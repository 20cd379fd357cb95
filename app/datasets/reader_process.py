"""Control a reader from the api process: a warm child that handles one request at a time."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe

from anyio import CapacityLimiter, to_thread

from app.datasets.reader_messages import Answer, Order, Ready, Request
from app.datasets.reading_limits import Budget
from app.errors import Unavailable
from app.process.programs import python_module

READER_MODULE = "app.datasets.reader_child"
START_SECONDS = 120.0  # importing pandas takes about a second, more on a busy machine
DYING_SECONDS = 10.0  # from closing the pipe to the end of the process
# Otherwise libraries would start a thread per core, each with address space of its own, and the C
# library would reserve 64 MB more for each thread.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "RUST_BACKTRACE": "0",
}


class ReaderBroke(Exception):
    """The reader's process ended in the middle of a request.

    Args:
        returncode: of the process: negative for a signal.
        budget: of the request.
    """

    def __init__(self, returncode: int, budget: Budget) -> None:
        self.signal = signal.Signals(-returncode) if returncode < 0 else None
        self.exit_code = returncode
        self.budget = budget
        super().__init__(
            f"exit code {returncode}" if self.signal is None else f"signal {self.signal.name}"
        )


class NoAnswer(Exception):
    """The reader did not answer in time; its process was killed.

    Args:
        budget: of the request.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        super().__init__(f"no answer within {budget.wall_seconds:.0f} s")


class ReaderProcess:
    """A reader. Requests are queued; a child that died is replaced.

    Args:
        module: what the child runs; replaced in tests.
        idle_seconds: how long the child is kept without requests; None: always.
    """

    def __init__(self, *, module: str = READER_MODULE, idle_seconds: float | None = None) -> None:
        self._module = module
        self._idle_seconds = idle_seconds
        self._child: _Child | None = None
        self._closed = False
        self._busy = threading.Lock()
        self._timer: threading.Timer | None = None
        # Requests wait here instead of occupying the threads in which handlers run.
        self._threads = CapacityLimiter(1)

    @property
    def is_running(self) -> bool:
        """Whether there is a child process."""
        return self._child is not None and self._child.is_alive()

    def start(self) -> None:
        """Start the child without waiting for it."""
        if not self._closed and not self.is_running:
            self._child = _Child.start(self._module)

    def close(self) -> None:
        """End the child, even in the middle of a request."""
        self._closed = True
        self._forget_timer()
        if self._child is not None:
            self._child.end()

    async def ask(
        self, request: Request, make_budget: Callable[[], Budget]
    ) -> tuple[Answer, Budget]:
        """Send a request and wait for the answer without blocking the event loop.

        Args:
            request: what to do.
            make_budget: returns the limits of the request when its turn has come.

        Returns:
            The answer and the limits that applied.

        Raises:
            ReaderBroke: the child died.
            NoAnswer: the child took too long.
            Unavailable: no child can be started.
        """
        return await to_thread.run_sync(self._ask, request, make_budget, limiter=self._threads)

    def _ask(self, request: Request, make_budget: Callable[[], Budget]) -> tuple[Answer, Budget]:
        with self._busy:
            self._forget_timer()
            child = self._warm_child()
            budget = make_budget()
            try:
                return child.ask(request, budget), budget
            except (ReaderBroke, NoAnswer):
                self.start()  # keeps it warm for the next request
                raise
            finally:
                self._end_when_idle()

    def _warm_child(self) -> "_Child":
        self.start()
        if self._closed or self._child is None or not self._child.wait_until_ready():
            raise Unavailable("the reader of uploads does not start", retry_after_seconds=5)
        return self._child

    def _end_when_idle(self) -> None:
        if self._idle_seconds is None or self._closed:
            return
        self._timer = threading.Timer(self._idle_seconds, self._end_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _end_if_idle(self) -> None:
        if self._busy.acquire(blocking=False):
            try:
                if self._child is not None:
                    self._child.end()
            finally:
                self._busy.release()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class _Child:
    """A running reader and our end of its pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]", pipe: Connection) -> None:
        self._process = process
        self._pipe = pipe
        self._ready = False

    @classmethod
    def start(cls, module: str) -> "_Child":
        ours, theirs = Pipe()
        command = python_module(module, "--fd", str(theirs.fileno()))
        with theirs:
            process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **ENVIRONMENT},
            )
        return cls(process, ours)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> bool:
        if not self._ready:
            try:
                self._ready = self._pipe.poll(START_SECONDS) and self._pipe.recv() == Ready()
            except (EOFError, OSError):
                self._ready = False
            if not self._ready:
                self.end()
        return self._ready

    def ask(self, request: Request, budget: Budget) -> Answer:
        try:
            self._pipe.send(Order(request=request, limits=budget.limits))
            if self._pipe.poll(budget.wall_seconds):
                answer: Answer = self._pipe.recv()
                return answer
        except (EOFError, OSError) as error:
            raise ReaderBroke(self._returncode(), budget) from error
        self.end()
        raise NoAnswer(budget)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _returncode(self) -> int:
        try:
            return self._process.wait(DYING_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            return -signal.SIGKILL
