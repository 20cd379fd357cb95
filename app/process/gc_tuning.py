"""Tune how often Python looks for cyclic garbage."""

import gc

# New objects before Python collects. With its default of 700, the objects of 64 concurrent requests
# were traversed again and again.
WHILE_SERVING = 20_000
# While modules are imported there is no garbage: collecting took an api process 0.16 s with
# Python's default and 0.05 s with the number above. Workers and supervisors keep this number, so it
# must not switch collection off.
WHILE_STARTING = 100_000


def look_for_garbage_seldom(threshold: int) -> None:
    """Collect cyclic garbage in this process only after this many new objects."""
    gc.set_threshold(threshold)
