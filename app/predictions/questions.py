"""Define what batching needs to know about a question, whatever the kind of its model."""

from collections.abc import Generator, Sequence
from typing import Any, Protocol, TypeVar

from app.errors import FieldError, StepaheadError
from app.predictions.loaded import Loaded

T = TypeVar("T")
# Work pauses between runs of the graph. Long work can be continued later, or dropped when its
# caller has disconnected.
Work = Generator[None, None, T]
Outcome = dict[str, object] | StepaheadError  # an answer's own parts, or why there is none


Reply = bytes | BaseException  # an answer's JSON, or why there is none


class CallerGone(Exception):
    """The caller has disconnected, so nobody waits for an answer."""


class Question(Protocol):
    """What a request asks of a version, and the cost of answering it."""

    @property
    def version(self) -> Loaded:
        """The version that is to answer."""

    @property
    def answer_size(self) -> int:
        """Steps, intervals and alternatives in the answer."""

    @property
    def seconds(self) -> float:
        """The time that answering takes on its own."""

    @property
    def added_seconds(self) -> float:
        """The time that answering adds to a run with others."""

    def what_fits(self, seconds: float) -> FieldError:
        """Say how much of the question could be answered in this many seconds."""

    # Any: Python cannot express "questions of the same class as this one".
    @staticmethod
    def answer(questions: Sequence[Any]) -> Work[list[Outcome]]:
        """Answer questions of this class for one version, in order."""


def completed(work: Work[T]) -> T:
    """Do all of the work now, and return its result."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        result: T = end.value
        return result
