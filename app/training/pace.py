"""Decide how many batches a compiled call runs, and estimate the remaining time of a run."""

import time

TARGET_SECONDS = 0.5  # of a call: the pipe is checked between calls, at most 2 s apart
GROWTH = 8  # at most this many times the batches of the previous call


class Pace:
    """Learns from previous calls how many batches fit into the next."""

    def __init__(self) -> None:
        self._batches = 0  # of the last call
        self._seconds_per_batch: float | None = None
        self._measured_from: float | None = None  # time at the end of the first call
        self._measured_batches = 0

    def next_batches(self, left: int) -> int:
        """Return the batches for the next call; the first runs one, because it also compiles."""
        if self._seconds_per_batch is None:
            return min(left, 1 if self._batches == 0 else GROWTH)
        fitting = int(TARGET_SECONDS / max(self._seconds_per_batch, 1e-9))
        return max(1, min(left, fitting, GROWTH * self._batches))

    def took(self, batches: int, seconds: float) -> None:
        """Record a call; the very first one is not a measurement."""
        if self._measured_from is None:
            self._measured_from = time.perf_counter()
        else:
            self._seconds_per_batch = seconds / batches
            self._measured_batches += batches
        self._batches = batches

    def seconds(self, batches: float) -> float | None:
        """Estimate how long this many batches will take, including pauses; None: unknown."""
        if self._measured_from is None or not self._measured_batches:
            return None
        passed = time.perf_counter() - self._measured_from
        return batches * passed / self._measured_batches
