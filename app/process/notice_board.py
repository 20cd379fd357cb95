"""Tell a supervisor's children about each other, through a file in memory that they inherit."""

import json
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from app.process.shared_memory import anonymous_file, read_shared, write_shared


class NoticeBoard:
    """The supervisor's side of the board."""

    def __init__(self) -> None:
        self.descriptor = anonymous_file("notices")
        self._generation = 0
        self._written: list[str] | None = None
        self.write([])

    def write(self, notices: Sequence[str]) -> None:
        """Replace the text on the board."""
        if list(notices) == self._written:
            return
        self._written = list(notices)
        self._generation += 1
        write_shared(self.descriptor, self._generation, json.dumps(self._written).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self.descriptor)


def read_notices(descriptor: int) -> list[str]:
    """Read the board from a child."""
    written = read_shared(descriptor)
    notices: list[str] = [] if written is None else json.loads(written.text)
    return notices


def nothing_to_say() -> list[str]:
    """Return no notices, for a process without a supervisor."""
    return []
