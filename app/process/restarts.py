"""Decide when something that died is restarted: at once, and later the more often it dies."""

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
HEALED_SECONDS = 60.0  # after this time alive, earlier deaths no longer count
KEEPS_DYING = 5  # deaths in a row


class GivenUp(RuntimeError):
    """The service has never worked, and another restart would not help."""


class Restarts:
    """The consecutive deaths of one thing, and the delays that follow from them."""

    def __init__(self) -> None:
        self.deaths = 0
        self._started_at = 0.0

    @property
    def keeps_dying(self) -> bool:
        """Whether it has died repeatedly."""
        return self.deaths >= KEEPS_DYING

    def started(self, now: float) -> None:
        """Record a start, in seconds of a monotonic clock."""
        self._started_at = now

    def alive(self, now: float) -> None:
        """Record that it is still alive."""
        if now - self._started_at >= HEALED_SECONDS:
            self.deaths = 0

    def delay_after_death(self, now: float) -> float:
        """Record a death, and return how many seconds to wait before the next start."""
        self.alive(now)
        self.deaths += 1
        # 2.0 ** deaths would overflow a float after a thousand deaths.
        doublings = min(self.deaths - 1, 20)
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * float(2**doublings))
