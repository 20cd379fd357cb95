"""A request and its answer, from the connection's point of view."""

from abc import ABC, abstractmethod
from collections.abc import Callable


class Exchange(ABC):
    """The current request of a connection."""

    @abstractmethod
    def take(self, piece: bytes) -> None:
        """Accept a piece of the body."""

    @abstractmethod
    def end(self) -> None:
        """Note that the body is complete."""

    @abstractmethod
    def leave(self) -> bool:
        """Continue without the caller, and return whether a part of the answer was sent."""

    @abstractmethod
    def close_afterwards(self) -> None:
        """Make the answer say `Connection: close`."""

    @property
    def has_room(self) -> bool:
        """Whether more of the body may be read."""
        return True

    @property
    def awaits_caller(self) -> bool:
        """Whether the caller has been asked for the body."""
        return True


class DirectExchange(Exchange):
    """A direct call that arrives in pieces; it starts when its body is complete."""

    def __init__(self, begin: Callable[[bytes], None]) -> None:
        self._begin = begin
        self._body = bytearray()

    def take(self, piece: bytes) -> None:
        """Accept a piece of the body."""
        self._body += piece

    def end(self) -> None:
        """Start the call."""
        self._begin(bytes(self._body))

    def leave(self) -> bool:
        """Return False: a direct call sends its answer in one piece."""
        return False

    def close_afterwards(self) -> None:
        """Do nothing: the connection adds the header."""
