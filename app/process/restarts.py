"""When something that died is started again: at once, and later the more often it dies."""

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
HEALED_SECONDS = 60.0  # whoever lived that long begins anew
KEEPS_DYING = 5  # deaths in a row


class GivenUp(RuntimeError):
    """A service has never worked, and starting it once more would not help."""


class Restarts:
    """The deaths in a row of one thing, and what follows from them."""

    def __init__(self) -> None:
        self.deaths = 0
        self._started_at = 0.0

    @property
    def keeps_dying(self) -> bool:
        """Whether it died again and again."""
        return self.deaths >= KEEPS_DYING

    def started(self, now: float) -> None:
        """Note a start, in seconds of a monotonic clock."""
        self._started_at = now

    def alive(self, now: float) -> None:
        """Note that it still lives."""
        if now - self._started_at >= HEALED_SECONDS:
            self.deaths = 0

    def delay_after_death(self, now: float) -> float:
        """Note a death, and return how many seconds to wait before the next start."""
        self.alive(now)
        self.deaths += 1
        # Not 2.0 ** deaths, which is too large for a float after a thousand of them.
        doublings = min(self.deaths - 1, 20)
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * float(2**doublings))
