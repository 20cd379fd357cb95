"""How the system says that a disk is full."""

import errno

# The second where a user or a group has used up its quota.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: OSError) -> bool:
    """Tell whether this failed because there was no room."""
    return error.errno in FULL
