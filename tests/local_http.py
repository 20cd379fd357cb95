"""Let clients of services on this machine share what none of them uses.

Reading the certificates of authorities took 20 ms of each client and of each single request, more
than most of what tests request.
"""

import functools

from httpx._transports import default

READER = "create_ssl_context"


def share_certificates() -> None:
    """Let all clients of httpx in this process use the same certificates."""
    read = getattr(default, READER)
    if not hasattr(read, "cache_info"):
        setattr(default, READER, functools.cache(read))
