"""Children that run while a block runs, and are tended until a stop is asked for."""

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
    """Something that is kept alive."""

    @property
    def is_vital(self) -> bool:
        """Whether a service without it is worth nothing."""

    @property
    def trouble(self) -> str | None:
        """What there is to say of it while it keeps dying."""

    @property
    def last_words(self) -> Iterable[str]:
        """The end of its output, line by line."""

    def tend(self) -> None:
        """Notice a death and mend it."""


class Absent:
    """A part that cannot run here; the rest of the service does without it.

    Args:
        trouble: what is missing, and how it can be had.
    """

    is_vital = False
    last_words: Iterable[str] = ()

    def __init__(self, trouble: str) -> None:
        self.trouble = trouble
        logger.warning(trouble)

    def tend(self) -> None:
        """Do nothing."""


@contextmanager
def running(children: Sequence[Child], stopping: Stopping) -> Iterator[Sequence[Child]]:
    """Start children; end them in order afterwards."""
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
    """`workers` workers."""
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
    """`api_processes` api processes on one socket, which is closed before they drain."""
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
            # A connection left in the queue would wait for an answer in vain.
            listener.close()
            for descriptor in figures:
                os.close(descriptor)


def tend_until_ready(
    tended: Sequence[Tended], stopping: Stopping, listener: socket, board: NoticeBoard
) -> None:
    """Keep all alive until the api answers, or a stop is asked for.

    Raises:
        GivenUp: a vital part keeps dying and the service has never worked.
    """
    while not stopping.requested and not is_ready(*address_of(listener)):
        _tend(tended, board)
        for part in tended:
            if part.is_vital and part.trouble is not None:
                words = "\n".join(f"  {line}" for line in part.last_words) or "  (nothing)"
                raise GivenUp(f"{part.trouble}. Its last output:\n{words}")


def tend_until_stopped(tended: Sequence[Tended], stopping: Stopping, board: NoticeBoard) -> None:
    """Keep all alive until a stop is asked for.

    A part that keeps dying ends no other: it is started again, after ever longer pauses.
    """
    while not stopping.requested:
        _tend(tended, board)


def _tend(tended: Sequence[Tended], board: NoticeBoard) -> None:
    for part in tended:
        part.tend()
    board.write([trouble for part in tended if (trouble := part.trouble) is not None])
    time.sleep(TEND_SECONDS)
