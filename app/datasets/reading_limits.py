"""Limit what a request to a reader may use, and tell the client when that is not enough.

Small files are read by their own reader within the limits below. A file that declares more, or
turns out to need more, goes to the reader of large files.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from app.datasets.reader_messages import DiskFull, Limits, Stopped, TooHeavy
from app.errors import InsufficientStorage, StepaheadError, Unavailable, Unprocessable
from app.process.memory import Memory, read_memory

# Measured: a CSV of 7 MB with 250,000 rows took 0.2 s of processor time and 60 MB; one of 5 MB with
# 500 columns took 0.9 s and 65 MB.
SMALL_BYTES = 16 << 20
SMALL_MEMORY_BYTES = 512 << 20
SMALL_MEMORY_SHARE = 8  # at most an eighth of the memory of this machine
SMALL_CPU_SECONDS = 4
SMALL_WALL_SECONDS = 15.0
# Measured: a spreadsheet of a million rows (105 MB of XML) took 12 s, a CSV of 93 MB 0.8 s.
LEAST_CPU_SECONDS = 30
BYTES_PER_CPU_SECOND = 2_000_000
# A CSV takes up to six times its size in memory, a spreadsheet seven times its XML.
MEMORY_PER_BYTE = 8
LEAST_MEMORY_BYTES = 4 << 30
MEMORY_SHARE = 2  # at most half of the memory of this machine
KEPT_SHARE = 8  # an eighth is left to other processes
SHORT = 2  # memory is short if less than half of what a reader may use is free
FLOOR_BYTES = 64 << 20  # what a reader may use even if memory is short
# Readers give way to predictions: on a busy machine, one second of processor time takes many.
LEAST_WALL_SECONDS = 60.0
WALL_PER_CPU_SECOND = 4
RETRY_SECONDS = 30
GIB = 1 << 30
MIB = 1 << 20


class ReaderStopped(Unprocessable):
    """A limit stopped the reader, or the reader crashed."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The limits of one request, and their origin."""

    limits: Limits
    memory: Memory
    memory_is_short: bool  # other processes occupy memory that the request could otherwise use
    wall_seconds: float  # how long the api process waits for an answer


class ReadingLimits:
    """The limits of this service's readers."""

    def __init__(
        self,
        *,
        max_upload_bytes: int,
        room_bytes: Callable[[], int],
        memory: Callable[[], Memory] = read_memory,
    ) -> None:
        """Take the limits that depend on the machine.

        Args:
            max_upload_bytes: limit on the size of a file, packed or unpacked.
            room_bytes: returns how much may still be written to the upload folder.
            memory: measures the memory of the machine.
        """
        self._max_upload_bytes = max_upload_bytes
        self._room_bytes = room_bytes
        self._memory = memory

    def for_small_files(self) -> Budget:
        """Return the limits of the reader of small files."""
        memory = self._memory()
        share = min(SMALL_MEMORY_BYTES, memory.limit_bytes // SMALL_MEMORY_SHARE)
        return self._budget(memory, share, SMALL_CPU_SECONDS, SMALL_BYTES, SMALL_WALL_SECONDS)

    def for_large_files(self, size: int) -> Budget:
        """Return the limits of the reader of large files.

        Args:
            size: of the file in bytes, unpacked if that is known.
        """
        counted = min(size, self._max_upload_bytes)  # no more is read
        return self._budget_of_large(LEAST_CPU_SECONDS + counted // BYTES_PER_CPU_SECOND)

    def for_errand(self, cpu_seconds: int) -> Budget:
        """Return the limits of an errand with this much processor time."""
        return self._budget_of_large(cpu_seconds)

    def _budget_of_large(self, cpu_seconds: int) -> Budget:
        memory = self._memory()
        wanted = LEAST_MEMORY_BYTES + MEMORY_PER_BYTE * self._max_upload_bytes
        share = min(wanted, memory.limit_bytes // MEMORY_SHARE)
        wall_seconds = LEAST_WALL_SECONDS + WALL_PER_CPU_SECOND * cpu_seconds
        return self._budget(memory, share, cpu_seconds, self._max_upload_bytes, wall_seconds)

    def _budget(
        self, memory: Memory, share: int, cpu_seconds: int, unpacked: int, wall_seconds: float
    ) -> Budget:
        free = memory.available_bytes - memory.limit_bytes // KEPT_SHARE
        limits = Limits(
            unpacked_bytes=unpacked,
            memory_bytes=max(FLOOR_BYTES, min(share, free)),
            cpu_seconds=cpu_seconds,
            file_bytes=self._room_bytes(),
        )
        return Budget(
            limits=limits,
            memory=memory,
            memory_is_short=free * SHORT < share,
            wall_seconds=wall_seconds,
        )


def stopped_by_limit(answer: Stopped, budget: Budget, what: str) -> StepaheadError:
    """Return the error for a request that was stopped by its limits.

    Args:
        answer: of the reader.
        budget: of the request.
        what: was being done: "reading this file".
    """
    limits = budget.limits
    if isinstance(answer, TooHeavy):
        declared = answer.unpacked_bytes
        found = "more" if declared is None else f"{declared:,} bytes"
        return ReaderStopped(
            f"the file unpacks to {found}; at most {limits.unpacked_bytes:,} bytes are read "
            "(STEPAHEAD_MAX_UPLOAD_BYTES): split it, or leave out columns"
        )
    if isinstance(answer, DiskFull):
        return disk_full(what)
    if budget.memory_is_short:
        return Unavailable(
            f"{what} takes more than {_size(limits.memory_bytes)} of memory, and no more is free "
            "at the moment; try again later",
            retry_after_seconds=RETRY_SECONDS,
        )
    return ReaderStopped(f"{what} takes more than {_memory_and_what_fits(budget)}")


def killed_by(number: signal.Signals, budget: Budget, what: str) -> StepaheadError:
    """Return the error for a request during which a signal ended the reader."""
    if number == signal.SIGXCPU:
        return ReaderStopped(
            f"{what} takes more than {budget.limits.cpu_seconds} s of processor time, the limit "
            "for its size: split it, or remove columns; a CSV takes a tenth of the time of a "
            "spreadsheet"
        )
    return ReaderStopped(
        f"the reader ended ({number.name}) while {what}, as it does when it needs more than "
        f"{_memory_and_what_fits(budget)}"
    )


def gave_up(budget: Budget, what: str) -> ReaderStopped:
    """Return the error for a request that got no answer."""
    return ReaderStopped(
        f"{what} was given up after {budget.wall_seconds:.0f} s: split the file, or try again when "
        "the machine is less busy"
    )


def disk_full(what: str) -> InsufficientStorage:
    """Return the error for a request that had no room for its files."""
    return InsufficientStorage(
        f"disk full: {what} takes more room than the upload folder has; nothing was stored. Try "
        "again when space has been freed, or see STEPAHEAD_UPLOAD_SPACE_BYTES and "
        "STEPAHEAD_DISK_RESERVE_BYTES"
    )


def _memory_and_what_fits(budget: Budget) -> str:
    allowed = budget.limits.memory_bytes
    return (
        f"{_size(allowed)} of memory, the limit on a machine or container with "
        f"{_size(budget.memory.limit_bytes)}; files of up to about "
        f"{_size(allowed // MEMORY_PER_BYTE)} unpacked fit: split it, or leave out columns"
    )


def _size(count: int) -> str:
    """Return a number of bytes for people to read."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"
