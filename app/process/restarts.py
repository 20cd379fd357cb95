"""When something that died is started again, and when that is given up."""

from collections import deque

DEATHS = 5
WITHIN_SECONDS = 60.0
FIRST_DELAY_SECONDS = 0.1


class GivenUp(RuntimeError):
    """Something keeps dying; starting it once more would not help."""


class Restarts:
    """The deaths of one thing, and what follows from them."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()

    def delay_after(self, now: float) -> float | None:
        """Note a death.

        Args:
            now: seconds on a monotonic clock.

        Returns:
            Seconds to wait before the next start, doubling from death to death; None when it died
            DEATHS times within WITHIN_SECONDS.
        """
        while self._deaths and now - self._deaths[0] > WITHIN_SECONDS:
            self._deaths.popleft()
        self._deaths.append(now)
        if len(self._deaths) >= DEATHS:
            return None
        return FIRST_DELAY_SECONDS * float(2 ** (len(self._deaths) - 1))
