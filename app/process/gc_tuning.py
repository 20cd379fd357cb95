"""How often Python looks for cycles of objects that nothing else refers to."""

import gc

# So many more objects live before it looks. At its own 700, 64 requests under way were gone through
# again and again.
WHILE_SERVING = 20_000
# Where nothing is garbage: while an api imported, looking took 0.16 s at Python's own number and
# 0.05 at the one above. A worker and a supervisor stay with it, so it is not for ever.
WHILE_STARTING = 100_000


def look_for_garbage_seldom(threshold: int) -> None:
    """From now on, in this process."""
    gc.set_threshold(threshold)
