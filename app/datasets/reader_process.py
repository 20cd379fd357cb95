"""The api process's side of its reader: a warm child, one file at a time, replaced if it dies.

A file that brings the reader down, or keeps it too long, is an error of that upload alone.
"""

import os
import signal
import subprocess
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread

from app.datasets.reader_messages import (
    Answer,
    Disagrees,
    Done,
    Errand,
    ErrandRequest,
    NotDone,
    ReadRequest,
    Ready,
    Refused,
    Request,
    Understood,
)
from app.errors import Conflict, Unavailable, Unprocessable
from app.process.programs import python_module
from app.reading.read_options import ReadOptions
from app.reading.report import Report, UnreadableFile

READER_MODULE = "app.datasets.reader_child"
START_SECONDS = 120.0  # importing pandas takes about one, on a busy machine more
DYING_SECONDS = 10.0  # from the end of its pipe to the end of its process
LEAST_SECONDS = 60.0
BYTES_PER_SECOND = 2_000_000  # a tenth of what the reader was seen to do, on a busy machine
LEAST_MEMORY_BYTES = 4 << 30
MEMORY_PER_BYTE = 8  # the reader is to need at most six times the file
FILENAME_MISSING = "upload"


class ReaderStopped(Unprocessable):
    """Reading a file came to no end of its own."""


class ReaderBroke(ReaderStopped):
    """The reader's process ended."""


@dataclass(frozen=True, kw_only=True)
class ReadFile:
    """A file that was read."""

    content: Path  # `app.reading.content` bytes
    content_sha256: str
    report: Report
    joined: "ReadFile | None"  # the file together with the dataset that it extends, if it does


class ReaderProcess:
    """One reader for all uploads of this process; they wait for each other."""

    def __init__(
        self,
        *,
        max_upload_bytes: int,
        module: str = READER_MODULE,
        least_seconds: float = LEAST_SECONDS,
    ) -> None:
        """`module` and `least_seconds` are there for tests."""
        self._memory_bytes = LEAST_MEMORY_BYTES + MEMORY_PER_BYTE * max_upload_bytes
        self._module = module
        self._least_seconds = least_seconds
        self._child: _Child | None = None
        self._closed = False
        # One at a time, and of its own: waiting uploads take no thread from the handlers.
        self._threads = CapacityLimiter(1)

    def start(self) -> None:
        """Starts the child without waiting for it."""
        if not self._closed and (self._child is None or not self._child.is_alive()):
            self._child = _Child.start(self._module, self._memory_bytes)

    def close(self) -> None:
        """Ends the child, in the middle of a file too."""
        self._closed = True
        if self._child is not None:
            self._child.end()

    async def read(
        self,
        path: Path,
        *,
        filename: str | None,
        options: ReadOptions,
        folder: Path,
        extends: Path | None = None,
    ) -> ReadFile:
        """Reads an uploaded file; the event loop goes on meanwhile.

        Args:
            path: the bytes as they came.
            filename: as the client calls it.
            options: what the client fixed.
            folder: of this request; takes the content and what the reader unpacks.
            extends: content of a dataset that the file is to be joined with.

        Raises:
            Conflict: the file does not go together with the dataset that it is to extend.
            UnreadableFile: it cannot be used; the report says why.
            ReaderStopped: it took too long or too much memory, or the reader broke on it.
            Unavailable: the reader does not start.
        """
        request = ReadRequest(
            path=path,
            filename=filename or FILENAME_MISSING,
            options=options,
            content_path=folder / f"{path.name}.content",
            temporary_folder=folder,
            extends=extends,
            joined_path=None if extends is None else folder / f"{path.name}.joined",
        )
        answer = await self._exchange(request, seconds=None, what="reading this file")
        if isinstance(answer, Refused):
            raise UnreadableFile(
                answer.detail, report=Report.model_validate(answer.report), errors=answer.errors
            )
        if isinstance(answer, Disagrees):
            raise Conflict(answer.detail, errors=answer.errors)
        if not isinstance(answer, Understood):
            raise self._out_of_memory("reading this file")
        return _read_file(request.content_path, answer, request.joined_path)

    async def run(self, errand: Errand, *, folder: Path, seconds: float, what: str) -> Any:  # noqa: ANN401 - whatever the errand gives
        """Runs an errand where it holds up no prediction; the event loop goes on meanwhile.

        Args:
            errand: what to do; it is sent to the reader.
            folder: of this request; takes what is unpacked.
            seconds: how long it may take.
            what: it is, for errors: "reading this file".

        Raises:
            Unprocessable: it cannot be done.
            ReaderStopped: it took too long or too much memory, or the reader broke on it.
            Unavailable: the reader does not start.
        """
        request = ErrandRequest(errand=errand, temporary_folder=folder)
        answer = await self._exchange(request, seconds=seconds, what=what)
        if isinstance(answer, NotDone):
            raise Unprocessable(answer.detail, errors=answer.errors)
        if not isinstance(answer, Done):
            raise self._out_of_memory(what)
        return answer.result

    async def _exchange(self, request: Request, *, seconds: float | None, what: str) -> Answer:
        return await to_thread.run_sync(self._ask, request, seconds, what, limiter=self._threads)

    def _seconds_for(self, request: Request) -> float:
        size = 0
        if isinstance(request, ReadRequest):
            size += request.path.stat().st_size
            size += 0 if request.extends is None else request.extends.stat().st_size
        return self._least_seconds + size / BYTES_PER_SECOND

    def _out_of_memory(self, what: str) -> ReaderStopped:
        return ReaderStopped(
            f"{what} takes more than {self._memory_bytes >> 30} GiB of memory; split it, or leave "
            "out columns"
        )

    def _ask(self, request: Request, seconds: float | None, what: str) -> Answer:
        child = self._warm_child()
        seconds = self._seconds_for(request) if seconds is None else seconds
        try:
            return self._asked(child, request, seconds=seconds, what=what)
        except ReaderStopped:
            self.start()  # the next upload finds it warm again
            raise

    def _asked(self, child: "_Child", request: Request, *, seconds: float, what: str) -> Answer:
        try:
            return child.ask(request, seconds=seconds, what=what)
        except ReaderBroke:
            if self._closed:
                raise
            # It may have been killed for reasons that are not the file's; a second one will tell.
            return self._warm_child().ask(request, seconds=seconds, what=what)

    def _warm_child(self) -> "_Child":
        self.start()
        if self._closed or self._child is None or not self._child.wait_until_ready():
            raise Unavailable("the reader of uploads does not start", retry_after_seconds=5)
        return self._child


def _read_file(content: Path, answer: Understood, joined_path: Path | None) -> ReadFile:
    joined = None
    if joined_path is not None and answer.joined is not None:
        joined = _read_file(joined_path, answer.joined, None)
    return ReadFile(
        content=content,
        content_sha256=answer.sha256,
        report=Report.model_validate(answer.report),
        joined=joined,
    )


class _Child:
    """A running reader and our end of the pipe to it."""

    def __init__(self, process: "subprocess.Popen[bytes]", pipe: Connection) -> None:
        self._process = process
        self._pipe = pipe
        self._ready = False

    @classmethod
    def start(cls, module: str, memory_bytes: int) -> "_Child":
        ours, theirs = Pipe()
        command = python_module(module, "--fd", str(theirs.fileno()))
        with theirs:
            process = subprocess.Popen(
                [*command, "--memory-bytes", str(memory_bytes)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # Libraries would start a thread per core, each with its share of address space.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
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

    def ask(self, request: Request, *, seconds: float, what: str) -> Answer:
        """Its answer.

        Raises:
            ReaderStopped: there is none; the child has ended.
        """
        try:
            self._pipe.send(request)
            if self._pipe.poll(seconds):
                answer: Answer = self._pipe.recv()
                return answer
        except (EOFError, OSError) as error:
            raise ReaderBroke(
                f"the reader of uploads broke while {what} ({self._end_reason()})"
            ) from error
        self.end()
        raise ReaderStopped(
            f"{what} was given up after {seconds:.0f} s; is it what you meant to upload?"
        )

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _end_reason(self) -> str:
        try:
            code = self._process.wait(DYING_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            code = self._process.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
