"""Share texts between processes in memory files that children inherit from their supervisor.

Files on a disk would not do: the disk may be full just when there is something to report. And the
files are never mapped: a process that writes to a mapped page without room is killed by SIGBUS.
"""

import os
import tempfile
import zlib
from dataclasses import dataclass
from struct import Struct
from typing import Final

# A file has two halves that are written in turn. If a writer is killed, the other half is intact.
HALF_BYTES: Final = 1 << 28  # sparse: the file takes only as much memory as was written
READS: Final = 5
HEAD: Final = Struct("!QIQI")  # generation, process id, length of the text, its checksum


@dataclass(frozen=True, kw_only=True)
class SharedText:
    """A text that a process wrote."""

    generation: int  # 1 for the first text, then 2, …
    pid: int  # of the writing process
    text: bytes


def anonymous_file(name: str) -> int:
    """Return the descriptor of a file without a path; it vanishes with its last descriptor."""
    if hasattr(os, "memfd_create"):  # Linux only
        return os.memfd_create(f"stepahead-{name}", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def write_shared(descriptor: int, generation: int, text: bytes) -> None:
    """Replace a file's text; only one process writes at a time, with rising generations."""
    offset = (generation % 2) * HALF_BYTES
    head = HEAD.pack(generation, os.getpid(), len(text), zlib.crc32(text))
    os.pwrite(descriptor, text, offset + HEAD.size)
    os.pwrite(descriptor, head, offset)


def read_shared(descriptor: int) -> SharedText | None:
    """Read the newest complete text, or None before the first one."""
    for _ in range(READS):  # both halves may have been replaced during the read
        halves = [_half(descriptor, offset) for offset in (0, HALF_BYTES)]
        whole = [text for text in halves if text is not None]
        if whole:
            return max(whole, key=lambda text: text.generation)
    return None


def _half(descriptor: int, offset: int) -> SharedText | None:
    packed = os.pread(descriptor, HEAD.size, offset)
    if len(packed) < HEAD.size or not any(packed):  # nothing has been written here yet
        return None
    generation, pid, length, checksum = HEAD.unpack(packed)
    text = os.pread(descriptor, length, offset + HEAD.size)
    if len(text) != length or zlib.crc32(text) != checksum:  # it is being replaced at the moment
        return None
    return SharedText(generation=generation, pid=pid, text=text)
