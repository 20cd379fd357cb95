"""Describe who calls and what they may do, as decided by the guard of the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.errors import Forbidden


class Scope(StrEnum):
    """What a key allows; each scope includes those before it."""

    PREDICT = "predict"
    TRAIN = "train"
    ADMIN = "admin"

    def includes(self, needed: "Scope") -> bool:
        """Return whether a caller of this scope may do what needs the scope `needed`."""
        return RANKS[self] >= RANKS[needed]


RANKS = {scope: rank for rank, scope in enumerate(Scope)}


class Allowance(Protocol):
    """Counts what a caller uses, and enforces its limits."""

    def take(self, what: str, amount: int) -> None:
        """Count a use.

        Raises:
            TooManyRequests: it is over the limit.
        """

    def headers(self) -> Mapping[str, str]:
        """Return the `RateLimit` headers of the answer."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A caller that was admitted."""

    name: str | None  # of the key; None: no key is required
    scope: Scope
    key_id: UUID | None = None  # None: STEPAHEAD_API_KEY, or no key
    models: frozenset[str] | None = None  # that it may use; None: all
    allowance: Allowance | None = field(default=None, compare=False)  # None: no limits

    def check_model(self, model: str) -> None:
        """Check that the caller may use a model.

        Raises:
            Forbidden: its key is for other models.
        """
        if self.models is not None and model not in self.models:
            raise Forbidden(
                f"this key is for {', '.join(sorted(self.models))}, not for {model[:100]!r}"
            )

    def check_list(self, model: str | None) -> None:
        """Check that the caller may list what belongs to a model; None: to any model.

        Raises:
            Forbidden: its key is for certain models, and the list would include others.
        """
        if self.models is None:
            return
        if model is None:
            names = ", ".join(sorted(self.models))
            raise Forbidden(f"this key is for {names}; select one of them with ?model=")
        self.check_model(model)

    def check_everything(self, what: str) -> None:
        """Check that the caller may list what belongs to no model.

        Raises:
            Forbidden: its key is for certain models.
        """
        if self.models is not None:
            raise Forbidden(f"this key is for certain models, but {what} belong to none")

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the `RateLimit` headers of an answer, which show the caller's limits."""
        if self.allowance is None:
            return []
        return [
            (name.lower().encode(), value.encode())
            for name, value in self.allowance.headers().items()
        ]

    def take(self, what: str, amount: int = 1) -> None:
        """Count a use against the caller's limits.

        Raises:
            TooManyRequests: it is over the limit.
        """
        if self.allowance is not None:
            self.allowance.take(what, amount)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A call that changed something, for the audit list."""

    caller: Caller
    method: str
    path: str
    query: str  # as it was sent, such as series=shop-7
    status: int
    request_id: str
    address: str | None  # of the connection's other end


# The caller of a service that requires no key.
ANYONE = Caller(name=None, scope=Scope.ADMIN)
