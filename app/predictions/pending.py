"""Count open work, and refuse more than can be done.

Long work is counted separately, so that it may reach its limits while short requests are still
answered.
"""

from typing import NamedTuple

from app.errors import Unavailable

MAX_ROWS = 4096
MAX_BYTES = 64 << 20  # size of the requests, whose histories may be long
MAX_ANSWERS = 300_000  # steps and alternatives, up to 100 bytes each
MAX_SECONDS = 30.0
# Work below this is soon done, whatever else is open.
SHORT_SECONDS = 0.005
OVERLOADED = "more predictions are asked for than can be computed; try again"


class Load(NamedTuple):
    """The cost of answering."""

    rows: int
    size: int  # size of the requests in bytes
    answer_size: int  # steps, intervals and alternatives
    seconds: float


class Pending:
    """The sum of all open loads."""

    def __init__(self) -> None:
        self.rows = 0
        self._size = 0
        self._answer_size = 0
        self._seconds = 0.0

    def admit(self, rows: int, size: int, answer_size: int, seconds: float) -> None:
        """Count the parts of a load; a single one is accepted whatever its size.

        Raises:
            Unavailable: there would be too much open work.
        """
        pending = self.rows
        if (
            pending >= MAX_ROWS
            or (pending and self._size + size > MAX_BYTES)
            or (pending and self._answer_size + answer_size > MAX_ANSWERS)
            or (seconds > SHORT_SECONDS and self._seconds + seconds > MAX_SECONDS)
        ):
            raise Unavailable(OVERLOADED)
        self.rows = pending + rows
        self._size += size
        self._answer_size += answer_size
        self._seconds += seconds

    def release(self, load: Load) -> None:
        """Remove a load that is done."""
        self.rows -= load.rows
        self._size -= load.size
        self._answer_size -= load.answer_size
        # Sums of floats do not cancel exactly.
        self._seconds = self._seconds - load.seconds if self.rows else 0.0
