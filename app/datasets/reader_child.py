"""Run a reader, a warm process that parses uploads: `python -m app.datasets.reader_child`.

pandas is imported here and not in the api process, whose event loop a long parse would block. The
reader handles one request at a time and ends when its pipe closes.
"""

import argparse
import contextlib
import errno
import math
import os
import re
import resource
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from app.datasets.hashed_file import write_hashed
from app.datasets.reader_messages import (
    Answer,
    Disagrees,
    DiskFull,
    Done,
    ErrandRequest,
    Limits,
    NotDone,
    Order,
    OutOfMemory,
    ReadRequest,
    Ready,
    Refused,
    TooHeavy,
    Understood,
)
from app.datasets.weight import unpacked_bytes
from app.errors import Conflict, FieldError, Unprocessable
from app.process.cpu_priority import GIVES_WAY, give_way
from app.process.disk import is_full
from app.reading.extend import join
from app.reading.file.unpack import UnpacksToMore
from app.reading.reader import ReadResult, read_file
from app.reading.report import UnreadableFile

# How willing the kernel is to kill this process first when the machine is out of memory.
FIRST_TO_GO = "1000"
STATM = Path("/proc/self/statm")


def main() -> None:
    """Serve the inherited pipe until it closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    arguments = parser.parse_args()
    # Ctrl-C in a terminal also reaches this process; the api process decides when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # not Linux, or not allowed here
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash caused by a limit needs no core dump
    give_way(GIVES_WAY)
    serve(Connection(arguments.fd))


def serve(pipe: Connection) -> None:
    """Answer one request after another."""
    orders = _Orders(pipe)
    idle_bytes = _address_space_bytes()
    pipe.send(Ready())
    while True:
        order = orders.next()
        with limited(order.limits, idle_bytes=idle_bytes):
            result = answer(order)
        pipe.send(result)


@contextmanager
def limited(limits: Limits, *, idle_bytes: int | None) -> Iterator[None]:
    """Let the kernel enforce limits inside the block.

    Args:
        limits: of the request.
        idle_bytes: address space of this process while idle; None if unknown.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime) + limits.cpu_seconds
    try:
        if idle_bytes is not None:
            _set_limit(resource.RLIMIT_AS, idle_bytes + limits.memory_bytes)
        _set_limit(resource.RLIMIT_CPU, seconds)  # SIGXCPU ends the process
        _set_limit(resource.RLIMIT_FSIZE, limits.file_bytes)
        yield
    finally:
        for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE):
            _set_limit(kind, resource.RLIM_INFINITY)


def answer(order: Order) -> Answer:
    """Read a file, or run an errand."""
    request = order.request
    tempfile.tempdir = str(request.temporary_folder)
    try:
        if isinstance(request, ErrandRequest):
            return _run(request)
        return _read(request, order.limits)
    except MemoryError:
        return OutOfMemory()
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return OutOfMemory()
        # EFBIG: the file would exceed the limit on its size, which is the room in the upload
        # folder.
        if is_full(error) or error.errno == errno.EFBIG:
            return DiskFull()
        raise


def _run(request: ErrandRequest) -> Answer:
    try:
        return Done(result=request.errand.run())
    except Unprocessable as error:
        return NotDone(detail=error.detail, errors=error.errors)


def _read(request: ReadRequest, limits: Limits) -> Answer:
    unpacked = unpacked_bytes(request.path)
    if unpacked > limits.unpacked_bytes:
        return TooHeavy(unpacked_bytes=unpacked)
    try:
        result = read_file(
            request.path,
            request.filename,
            request.options,
            max_unpacked_bytes=limits.unpacked_bytes,
        )
        sha256 = write_hashed(request.content_path, result.content.to_bytes())
        joined = _joined(request, result)
    except UnreadableFile as error:
        if isinstance(error.__cause__, UnpacksToMore):
            return TooHeavy(unpacked_bytes=None)
        return Refused(
            detail=without_paths(error.detail, request),
            errors=tuple(_place_without_paths(place, request) for place in error.errors),
            report=error.report.model_dump(mode="json"),
        )
    except Conflict as error:
        return Disagrees(detail=error.detail, errors=error.errors)
    return Understood(sha256=sha256, report=result.report.model_dump(mode="json"), joined=joined)


def _joined(request: ReadRequest, result: ReadResult) -> Understood | None:
    """Write the file joined with the dataset that it extends."""
    if request.extends is None or request.joined_path is None:
        return None
    whole, report = join(request.extends, result.content, result.report, request.options)
    sha256 = write_hashed(request.joined_path, whole.to_bytes())
    return Understood(sha256=sha256, report=report.model_dump(mode="json"))


def _place_without_paths(place: FieldError, request: ReadRequest) -> FieldError:
    return replace(place, message=without_paths(place.message, request))


def without_paths(message: str, request: ReadRequest) -> str:
    """Replace the path of our copy in a library's message by the client's name of the file."""
    ours = re.escape(str(request.temporary_folder)) + r"[^\s'\"`:,;)]*"
    named = message.replace(str(request.path), request.filename)
    return re.sub(ours, lambda _: request.filename, named)


def _set_limit(kind: int, soft: int) -> None:
    """Set a limit of this process that may be raised again."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > hard):
        soft = hard
    with contextlib.suppress(OSError, ValueError):  # macOS has RLIMIT_AS and refuses to set it
        resource.setrlimit(kind, (soft, hard))


def _address_space_bytes() -> int | None:
    try:
        pages = int(STATM.read_text().split()[0])
    except OSError:  # not Linux
        return None
    return pages * resource.getpagesize()


class _Orders:
    """The orders from the pipe; if it closes, this process ends, even in the middle of a file."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._arrived = threading.Semaphore(0)
        self._order: Order
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self) -> Order:
        """Return the next order; the api process sends one after each answer."""
        self._arrived.acquire()
        return self._order

    def _listen(self) -> None:
        while True:
            try:
                self._order = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(0)
            self._arrived.release()


if __name__ == "__main__":
    main()
