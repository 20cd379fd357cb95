"""Run two readers: one for small files, always warm, and one for everything that takes long.

A small file never waits for a large one. The second reader starts when it is first needed and ends
after a minute without work, because it occupies 0.1 GB.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread

from app.datasets.reader_messages import (
    Answer,
    Disagrees,
    DiskFull,
    Done,
    Errand,
    ErrandRequest,
    NotDone,
    OutOfMemory,
    ReadRequest,
    Refused,
    Request,
    TooHeavy,
    Understood,
)
from app.datasets.reader_process import READER_MODULE, NoAnswer, ReaderBroke, ReaderProcess
from app.datasets.reading_limits import (
    SMALL_BYTES,
    Budget,
    ReaderStopped,
    ReadingLimits,
    gave_up,
    killed_by,
    stopped_by_limit,
)
from app.errors import Conflict, Unprocessable
from app.process.observability import get_logger
from app.reading.read_options import ReadOptions
from app.reading.report import Report, UnreadableFile

FILENAME_MISSING = "upload"
IDLE_SECONDS = 60.0
READING = "reading this file"

logger = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReadFile:
    """A file that was read."""

    content: Path  # `app.reading.content` bytes
    content_sha256: str
    report: Report
    joined: "ReadFile | None"  # the file joined with the dataset that it extends


class Readers:
    """Read uploads and run errands outside the api process.

    Args:
        limits: of each request.
        module: what a reader process runs; replaced in tests.
        idle_seconds: how long the reader of large files is kept without requests.
    """

    def __init__(
        self,
        limits: ReadingLimits,
        *,
        module: str = READER_MODULE,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._limits = limits
        self._small = ReaderProcess(module=module)
        self._large = ReaderProcess(module=module, idle_seconds=idle_seconds)

    def start(self) -> None:
        """Start the reader of small files without waiting for it."""
        self._small.start()

    def close(self) -> None:
        """End both readers, even in the middle of a file."""
        self._small.close()
        self._large.close()

    async def read(
        self,
        path: Path,
        *,
        filename: str | None,
        options: ReadOptions,
        folder: Path,
        extends: Path | None = None,
    ) -> ReadFile:
        """Read an uploaded file without blocking the event loop.

        Args:
            path: of the original bytes.
            filename: the client's name for it.
            options: that the client fixed.
            folder: of this request, for the content and for files that the reader unpacks.
            extends: content of a dataset to join the file with.

        Raises:
            Conflict: the file cannot be joined with the dataset that it extends.
            UnreadableFile: it cannot be used; the report says why.
            ReaderStopped: it takes too much time or memory, or the reader crashed.
            InsufficientStorage: there is no room for the content.
            Unavailable: memory is short, or the reader does not start.
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
        size = await to_thread.run_sync(_size_of, request)
        found = await self._read_as_small(request) if size <= SMALL_BYTES else None
        if found is None or isinstance(found[0], (TooHeavy, OutOfMemory)):
            if found is not None and isinstance(found[0], TooHeavy):
                size = max(size, found[0].unpacked_bytes or 0)
            found = await self._ask_large(
                request, partial(self._limits.for_large_files, size), READING
            )
        return _read_file(request, *found)

    async def run(self, errand: Errand, *, folder: Path, cpu_seconds: int, what: str) -> Any:  # noqa: ANN401 - any result of an errand
        """Run an errand where it delays no prediction, without blocking the event loop.

        Args:
            errand: the task, which is sent to the reader.
            folder: of this request, for temporary files.
            cpu_seconds: limit on its processor time.
            what: describes the errand in errors, as "reading this file" would.

        Raises:
            Unprocessable: it cannot be done.
            ReaderStopped: it takes too much time or memory, or the reader crashed.
            InsufficientStorage: there is no room for its files.
            Unavailable: memory is short, or the reader does not start.
        """
        request = ErrandRequest(errand=errand, temporary_folder=folder)
        answer, budget = await self._ask_large(
            request, partial(self._limits.for_errand, cpu_seconds), what
        )
        if isinstance(answer, NotDone):
            raise Unprocessable(answer.detail, errors=answer.errors)
        if isinstance(answer, (TooHeavy, OutOfMemory, DiskFull)):
            raise stopped_by_limit(answer, budget, what)
        if not isinstance(answer, Done):
            raise TypeError(f"a reader answered an errand with {type(answer).__name__}")
        return answer.result

    async def _read_as_small(self, request: ReadRequest) -> tuple[Answer, Budget] | None:
        """Return the answer of the reader of small files, or None if the file stopped it."""
        try:
            return await self._small.ask(request, self._limits.for_small_files)
        except (ReaderBroke, NoAnswer) as error:
            logger.info("a small file is passed to the reader of large files", reason=str(error))
            return None

    async def _ask_large(
        self, request: Request, make_budget: Callable[[], Budget], what: str
    ) -> tuple[Answer, Budget]:
        """Ask the other reader; ask again if it was killed, which may not be the file's fault."""
        try:
            try:
                return await self._large.ask(request, make_budget)
            except ReaderBroke as broke:
                if broke.signal != signal.SIGKILL:
                    raise
                return await self._large.ask(request, make_budget)
        except NoAnswer as error:
            raise gave_up(error.budget, what) from error
        except ReaderBroke as broke:
            if broke.signal is not None:
                raise killed_by(broke.signal, broke.budget, what) from broke
            raise ReaderStopped(
                f"the reader of uploads crashed while {what} (exit code {broke.exit_code})"
            ) from broke


def _size_of(request: ReadRequest) -> int:
    extended = 0 if request.extends is None else request.extends.stat().st_size
    return request.path.stat().st_size + extended


def _read_file(request: ReadRequest, answer: Answer, budget: Budget) -> ReadFile:
    """Return what was read, or raise the error that the answer describes."""
    if isinstance(answer, Refused):
        raise UnreadableFile(
            answer.detail, report=Report.model_validate(answer.report), errors=answer.errors
        )
    if isinstance(answer, Disagrees):
        raise Conflict(answer.detail, errors=answer.errors)
    if isinstance(answer, (TooHeavy, OutOfMemory, DiskFull)):
        raise stopped_by_limit(answer, budget, READING)
    if not isinstance(answer, Understood):
        raise TypeError(f"a reader answered a file with {type(answer).__name__}")
    joined = None
    if request.joined_path is not None and answer.joined is not None:
        joined = _content(request.joined_path, answer.joined, None)
    return _content(request.content_path, answer, joined)


def _content(path: Path, answer: Understood, joined: ReadFile | None) -> ReadFile:
    return ReadFile(
        content=path,
        content_sha256=answer.sha256,
        report=Report.model_validate(answer.report),
        joined=joined,
    )
