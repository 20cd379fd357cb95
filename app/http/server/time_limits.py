"""Measures of how fast a caller sends and reads."""

# After the last answer, further input is discarded for this long. Closing at once would reset the
# connection, and a caller that is still sending would not see the answer.
LINGER_SECONDS = 5.0
# After an answer that did not need the whole body, the rest is discarded for at most this long.
DISCARD_SECONDS = 30.0


class BodySpeed:
    """The speed of a body, measured in each interval separately.

    A fast beginning does not compensate for a stall. There is no limit on the total time: an
    upload may take as long as its network needs.
    """

    def __init__(self, *, seconds: float, min_bytes_per_second: int) -> None:
        self._seconds = seconds
        self._min_bytes = seconds * min_bytes_per_second
        self._since = 0.0
        self.bytes = 0  # received in this interval

    def begin(self, now: float, *, received: int = 0) -> None:
        """Start an interval."""
        self._since, self.bytes = now, received

    def is_too_slow(self, now: float) -> bool:
        """Return whether too little arrived in an interval that is over."""
        if now - self._since <= self._seconds:
            return False
        if self.bytes < self._min_bytes:
            return True
        self.begin(now)
        return False


class SendProgress:
    """Whether a caller accepts what is sent to it."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None  # when it last accepted something
        self._unsent_bytes = 0

    def has_stalled(self, now: float, unsent_bytes: int) -> bool:
        """Return whether it accepted nothing for too long.

        Args:
            now: by the event loop's clock.
            unsent_bytes: waiting to be sent.
        """
        if self._since is None or not unsent_bytes or unsent_bytes < self._unsent_bytes:
            self._since = now
        self._unsent_bytes = unsent_bytes
        return now - self._since > self._seconds
