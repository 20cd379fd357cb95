"""All open connections of an api process: limits, time limits, and which one is closed first.

A silent caller still costs this process a descriptor and some memory. So the number of connections
is limited, in total and per address, and every connection is checked for time limits once a second.
When there is no room for a new connection, the one that has been idle the longest is closed.
"""

import asyncio
import resource
from collections import Counter, deque
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from operator import itemgetter
from typing import Protocol

from app.config import Settings
from app.errors import Unavailable
from app.process.observability import Metrics, get_logger

logger = get_logger(__name__)

AddressGroup = IPv4Address | IPv6Network  # an IPv6 caller usually has 2^64 addresses

CHECK_SECONDS = 1.0
LOG_SECONDS = 10.0  # between two log lines
GROUP_PREFIX_BITS = 64
# Descriptors for everything else (the database, the store, files of uploads) and for a burst of new
# connections, all of which are accepted before the first idle one can be closed. If there were no
# descriptor left for one of them, libuv would reset it.
MIN_RESERVED_DESCRIPTORS = 128
RESERVED_SHARE = 4
MAX_BACKLOG = 2048
# The process asks for no more: some programs that it starts close every possible descriptor.
MAX_DESCRIPTORS = 65_536


class Tracked(Protocol):
    """A connection from the point of view of `Connections`."""

    address_group: AddressGroup | None  # None: not limited by address
    since: float  # when it became idle, by the event loop's clock

    @property
    def is_idle(self) -> bool:
        """Whether there is no current request."""

    def check(self, now: float) -> str | None:
        """Close it if the caller is too slow, and return the reason."""

    def evict(self) -> None:
        """Close it to make room for another."""


class Connections:
    """All open connections of this process."""

    def __init__(self, settings: Settings, *, metrics: Metrics | None = None) -> None:
        self.settings = settings
        self._metrics = metrics
        self._open: dict[Tracked, None] = {}
        self._groups: dict[AddressGroup, dict[Tracked, None]] = {}
        self._idle: deque[tuple[float, Tracked]] = deque()  # as of the last search, oldest first
        self.closed: Counter[str] = Counter()  # against a limit, by reason
        self.logged: Counter[str] = Counter()  # of these, those in the log
        self._logged_at = -LOG_SECONDS
        self.checks = 0  # for tests
        self._alarm: asyncio.TimerHandle | None = None
        limit = descriptor_limit()
        reserved = max(MIN_RESERVED_DESCRIPTORS, limit // RESERVED_SHARE)
        self.max_open = min(settings.max_connections, max(1, limit - reserved))
        self.max_descriptor = limit - reserved // 2
        self.backlog = min(MAX_BACKLOG, reserved // 2)  # the largest burst

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._open)

    def __iter__(self) -> Iterator[Tracked]:
        """Iterate over them."""
        return iter(list(self._open))

    def address_group(self, host: str) -> AddressGroup | None:
        """Return the addresses that share a limit; None if there is no limit."""
        address = ip_address(host)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address.is_loopback or any(
            address in network for network in self.settings.trusted_proxies
        ):
            return None
        if isinstance(address, IPv4Address):
            return address
        return IPv6Network((address, GROUP_PREFIX_BITS), strict=False)

    def add(self, connection: Tracked, *, descriptor: int) -> None:
        """Add a new connection, closing the one that has been idle the longest if necessary.

        Args:
            connection: the new one.
            descriptor: of its socket. The kernel assigns the lowest free number, so this is at
                least the number of descriptors in use.

        Raises:
            Unavailable: there is no room for it.
        """
        self._open[connection] = None
        if self._alarm is None:
            self._check_soon()
        if connection.address_group is not None:
            self._limit_group(connection.address_group, connection)
        if len(self._open) > self.max_open or descriptor >= self.max_descriptor:
            longest = self._longest_idle(connection)
            if longest is None:
                self.count("refused, none is idle")
                raise Unavailable(
                    "as many connections are open as this process can serve, and none is idle"
                )
            longest.evict()
            self.count("idle, to make room")

    def discard(self, connection: Tracked) -> None:
        """Remove a connection that was closed."""
        self._open.pop(connection, None)
        group = connection.address_group
        if group is not None and group in self._groups:
            self._groups[group].pop(connection, None)
            if not self._groups[group]:
                del self._groups[group]

    def _limit_group(self, group: AddressGroup, connection: Tracked) -> None:
        own = self._groups.setdefault(group, {})
        limit = self.settings.max_connections_per_address
        idle = [one for one in own if one.is_idle] if len(own) >= limit else []
        own[connection] = None
        if len(own) <= limit:
            return
        if not idle:
            self.count("refused, too many from one address")
            raise Unavailable(f"{group} already has {limit} open connections, and none is idle")
        min(idle, key=lambda one: one.since).evict()
        self.count("idle, too many from one address")

    def _longest_idle(self, newest: Tracked) -> Tracked | None:
        """Return the connection that has been idle the longest, if any but the newest is idle.

        One sorting serves many calls: in a flood there is a call per new connection.
        """
        for _ in range(2):
            while self._idle:
                since, one = self._idle.popleft()
                if one in self._open and one.is_idle and one.since == since:
                    return one
            idle = [(one.since, one) for one in self._open if one.is_idle and one is not newest]
            self._idle = deque(sorted(idle, key=itemgetter(0)))
        return None

    def count(self, reason: str) -> None:
        """Count a closed connection for the log and the metrics."""
        self.closed[reason] += 1
        if self._metrics is not None:
            self._metrics.closed_connections.labels(reason).inc()

    def _check_soon(self) -> None:
        settings = self.settings
        seconds = min(CHECK_SECONDS, settings.head_seconds / 4, settings.keep_alive_seconds / 4)
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._check_all)

    def _check_all(self) -> None:
        """Check all connections. A timer per request would add 2 us to each."""
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            reason = connection.check(now)
            if reason is not None:
                self.count(reason)
        if self._metrics is not None:
            self._metrics.open_connections.set(len(self._open))
        if self.closed != self.logged and now - self._logged_at >= LOG_SECONDS:
            new = self.closed - self.logged
            logger.warning("connections closed", open=len(self._open), **new)
            self.logged, self._logged_at = self.closed.copy(), now
        self.checks += 1
        self._alarm = None
        if self._open or self.closed != self.logged:
            self._check_soon()


def descriptor_limit() -> int:
    """Return how many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit() -> None:
    """Raise the soft limit on descriptors, often 1,024, to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
