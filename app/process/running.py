"""Run children during a block, and keep them running until a stop is requested."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from socket import socket
from typing import Protocol

from app.config import Settings
from app.process.children import Child, end_in_order
from app.process.lifeline import Lifeline
from app.process.listening import address_of
from app.process.notice_board import NoticeBoard
from app.process.observability import get_logger
from app.process.programs import Inherited, api_program, worker_program
from app.process.readiness import is_ready
from app.process.restarts import GivenUp
from app.process.shared_figures import Slot, make_files
from app.process.stopping import Stopping

logger = get_logger("supervisor")

TEND_SECONDS = 0.1


class Tended(Protocol):
    """Something that is kept running."""

    @property
    def is_vital(self) -> bool:
        """Whether the service is useless without it."""

    @property
    def keeps_dying(self) -> bool:
        """Whether it died several times in a row."""

    @property
    def trouble(self) -> str | None:
        """A message about a part that does not work, or None."""

    @property
    def last_words(self) -> Iterable[str]:
        """The last lines of its output."""

    def tend(self) -> None:
        """Notice a death and restart."""


class Absent:
    """A part that cannot run here, so the rest of the service works without it.

    Args:
        trouble: what is missing, and how to get it.
    """

    is_vital = False
    keeps_dying = False
    last_words: Iterable[str] = ()

    def __init__(self, trouble: str) -> None:
        self.trouble = trouble
        logger.warning(trouble)

    def tend(self) -> None:
        """Do nothing."""


@contextmanager
def running(children: Sequence[Child], stopping: Stopping) -> Iterator[Sequence[Child]]:
    """Start children, and end them in order afterwards."""
    try:
        for child in children:
            child.start()
        yield children
    finally:
        end_in_order(children, hastened=lambda: stopping.hastened)


@contextmanager
def running_workers(
    settings: Settings, stopping: Stopping, lifeline: Lifeline, environment: Mapping[str, str]
) -> Iterator[Sequence[Child]]:
    """Run `workers` workers."""
    programs = [
        worker_program(settings, number, lifeline=lifeline, environment=environment)
        for number in range(1, settings.workers + 1)
    ]
    with running([Child(program) for program in programs], stopping) as children:
        yield children


@contextmanager
def running_apis(
    settings: Settings,
    stopping: Stopping,
    lifeline: Lifeline,
    environment: Mapping[str, str],
    *,
    listener: socket,
    board: NoticeBoard,
) -> Iterator[Sequence[Child]]:
    """Run `api_processes` api processes on one socket, which is closed before they drain."""
    figures = tuple(make_files(settings.api_processes))
    inherited = [
        Inherited(
            listener=listener.fileno(),
            lifeline=lifeline.reading_end,
            board=board.descriptor,
            figures=Slot(descriptors=figures, own=own),
        )
        for own in range(settings.api_processes)
    ]
    programs = [
        api_program(settings, number, inherited=one, environment=environment)
        for number, one in enumerate(inherited, start=1)
    ]
    with running([Child(program) for program in programs], stopping) as children:
        try:
            yield children
        finally:
            # A connection that is left in the queue would never get an answer.
            listener.close()
            for descriptor in figures:
                os.close(descriptor)


def tend_until_ready(
    tended: Sequence[Tended], stopping: Stopping, listener: socket, board: NoticeBoard
) -> None:
    """Keep everything running until the api answers or a stop is requested.

    Raises:
        GivenUp: a vital part keeps dying and the service has never worked.
    """
    while not stopping.requested and not is_ready(*address_of(listener)):
        _tend(tended, board)
        for part in tended:
            if part.is_vital and part.keeps_dying:
                words = "\n".join(f"  {line}" for line in part.last_words) or "  (nothing)"
                raise GivenUp(f"{part.trouble}. Its last output:\n{words}")


def tend_until_stopped(tended: Sequence[Tended], stopping: Stopping, board: NoticeBoard) -> None:
    """Keep everything running until a stop is requested.

    A part that keeps dying does not end the others. It is restarted after longer and longer pauses.
    """
    while not stopping.requested:
        _tend(tended, board)


def _tend(tended: Sequence[Tended], board: NoticeBoard) -> None:
    for part in tended:
        part.tend()
    board.write([trouble for part in tended if (trouble := part.trouble) is not None])
    time.sleep(TEND_SECONDS)
