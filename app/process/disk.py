"""Recognise the errors of a full disk."""

import errno

# EDQUOT: a user or group has used up its quota.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: OSError) -> bool:
    """Return whether an operation failed because there was no room."""
    return error.errno in FULL
