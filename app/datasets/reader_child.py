"""The reader: a warm process that parses uploads, started as `python -m app.datasets.reader_child`.

pandas lives here and not in the api process, whose event loop a long parse would hold up. It reads
one file after another and ends when its pipe closes.
"""

import argparse
import contextlib
import errno
import os
import resource
import signal
import tempfile
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from app.datasets.hashed_file import write_hashed
from app.datasets.reader_messages import (
    Answer,
    Disagrees,
    Done,
    ErrandRequest,
    NotDone,
    OutOfMemory,
    ReadRequest,
    Ready,
    Refused,
    Request,
    Understood,
)
from app.errors import Conflict, Unprocessable
from app.process.cpu_priority import GIVES_WAY, give_way
from app.reading.extend import join
from app.reading.reader import ReadResult, read_file
from app.reading.report import UnreadableFile

# How ready the kernel is to end this process first when the machine is out of memory.
FIRST_TO_GO = "1000"


def main() -> None:
    """Serve the pipe that was inherited until it closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    arguments = parser.parse_args()
    # Ctrl-C in a terminal reaches us too; the api process decides when we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_way(GIVES_WAY)
    limit_memory(arguments.memory_bytes)
    serve(Connection(arguments.fd))


def limit_memory(memory_bytes: int) -> None:
    """Bound the address space, so that an absurd file is an error here and no trouble elsewhere."""
    with contextlib.suppress(OSError):  # not Linux, or not ours to say
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        memory_bytes = min(memory_bytes, hard)
    with contextlib.suppress(OSError, ValueError):  # macOS knows the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, hard))


def serve(pipe: Connection) -> None:
    """Answer one request after another."""
    requests = _Requests(pipe)
    pipe.send(Ready())
    while True:
        pipe.send(answer(requests.next()))


def answer(request: Request) -> Answer:
    """Reads one file, or runs one errand."""
    tempfile.tempdir = str(request.temporary_folder)
    try:
        return _run(request) if isinstance(request, ErrandRequest) else _read(request)
    except MemoryError:
        return OutOfMemory()
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        return OutOfMemory()


def _run(request: ErrandRequest) -> Answer:
    try:
        return Done(result=request.errand.run())
    except Unprocessable as error:
        return NotDone(detail=error.detail, errors=error.errors)


def _read(request: ReadRequest) -> Answer:
    try:
        result = read_file(request.path, request.filename, request.options)
        sha256 = write_hashed(request.content_path, result.content.to_bytes())
        joined = _joined(request, result)
    except UnreadableFile as error:
        return Refused(
            detail=error.detail, errors=error.errors, report=error.report.model_dump(mode="json")
        )
    except Conflict as error:
        return Disagrees(detail=error.detail, errors=error.errors)
    return Understood(sha256=sha256, report=result.report.model_dump(mode="json"), joined=joined)


def _joined(request: ReadRequest, result: ReadResult) -> Understood | None:
    """Writes what the file is together with the dataset it extends."""
    if request.extends is None or request.joined_path is None:
        return None
    whole, report = join(request.extends, result.content, result.report, request.options)
    sha256 = write_hashed(request.joined_path, whole.to_bytes())
    return Understood(sha256=sha256, report=report.model_dump(mode="json"))


class _Requests:
    """What comes through the pipe; its end ends this process, in the middle of a file too."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._arrived = threading.Semaphore(0)
        self._request: Request
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self) -> Request:
        """The next request; one comes after each answer."""
        self._arrived.acquire()
        return self._request

    def _listen(self) -> None:
        while True:
            try:
                self._request = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(0)
            self._arrived.release()


if __name__ == "__main__":
    main()
