"""Every error that a caller may see, and the one way it is shown.

StepaheadError
├── InvalidRequest          400  not understood at all (broken JSON, a bad cursor)
├── Unauthorized            401  no key or a wrong one
├── Forbidden               403  a write from a foreign origin
├── NotFound                404  no such model, version, dataset, job, prediction
├── MethodNotAllowed        405
├── Conflict                409  right in itself, but not in this state
├── TooLarge                413  over a limit on bytes
├── UnsupportedMediaType    415
├── Unprocessable           422  understood, and wrong in a named place
├── TooManyRequests         429  over a limit on how often
├── Internal                500  ours; says nothing of the inside
├── Unavailable             503  try again after `retry_after_seconds`
└── InsufficientStorage     507  no room on the disk; works again once there is
"""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One wrong place in a request or a file."""

    message: str  # what was wrong, and what would be right
    field: str | None = None  # dotted path in the request: "history.3", "recipe.window"
    row: int | None = None  # in a file, as a person counts: the first line is 1
    column: str | None = None  # in a file, the column's name

    def as_dict(self) -> dict[str, Any]:
        """The entry of `errors` in a problem."""
        return {
            "field": self.field,
            "row": self.row,
            "column": self.column,
            "message": self.message,
        }


class StepaheadError(Exception):
    """Base of all errors that a caller may see.

    Args:
        detail: one or two sentences for a person: what was wrong, where, what would be right.
        errors: the places, where there are any.
        extra: further members of the problem (RFC 9457 calls them extensions), JSON-able.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    slug: ClassVar[str] = "internal"

    def __init__(
        self,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.extra = extra or {}

    def problem(self) -> dict[str, Any]:
        """The error as `application/problem+json` (RFC 9457)."""
        return {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "errors": [error.as_dict() for error in self.errors],
            **self.extra,
        }


class InvalidRequest(StepaheadError):
    """The request could not be read."""

    status, title, slug = 400, "Invalid request", "invalid-request"


class Unauthorized(StepaheadError):
    """The key is missing or wrong."""

    status, title, slug = 401, "Unauthorized", "unauthorized"


class Forbidden(StepaheadError):
    """Understood, and not allowed."""

    status, title, slug = 403, "Forbidden", "forbidden"


class NotFound(StepaheadError):
    """Nothing here goes by that name."""

    status, title, slug = 404, "Not found", "not-found"


class MethodNotAllowed(StepaheadError):
    """The path exists, not with this method."""

    status, title, slug = 405, "Method not allowed", "method-not-allowed"


class Conflict(StepaheadError):
    """Right in itself, but not in the present state."""

    status, title, slug = 409, "Conflict", "conflict"


class TooLarge(StepaheadError):
    """More bytes than allowed."""

    status, title, slug = 413, "Too large", "too-large"


class UnsupportedMediaType(StepaheadError):
    """A body of a kind this call does not read."""

    status, title, slug = 415, "Unsupported media type", "unsupported-media-type"


class Unprocessable(StepaheadError):
    """Understood, and wrong in a named place."""

    status, title, slug = 422, "Unprocessable", "unprocessable"

    @classmethod
    def at(cls, field: str, message: str) -> "Unprocessable":
        """One wrong field of a request."""
        return cls(f"{field}: {message}", errors=(FieldError(field=field, message=message),))


class TooManyRequests(StepaheadError):
    """Over a limit; it is worth trying again later.

    Args:
        detail: which limit, in a sentence.
        retry_after_seconds: when it is worth trying again.
        extra: further members of the problem.
    """

    status, title, slug = 429, "Too many requests", "too-many-requests"

    def __init__(
        self, detail: str, *, retry_after_seconds: int, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(detail, extra=extra)
        self.retry_after_seconds = retry_after_seconds


class Internal(StepaheadError):
    """Our fault; the log knows more under the request id."""


class Unavailable(StepaheadError):
    """Not now.

    Args:
        detail: why, in a sentence.
        retry_after_seconds: when it is worth trying again.
    """

    status, title, slug = 503, "Unavailable", "unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class InsufficientStorage(StepaheadError):
    """There is no room to store this; nothing was kept."""

    status, title, slug = 507, "Insufficient storage", "insufficient-storage"


BY_STATUS: dict[int, type[StepaheadError]] = {
    kind.status: kind
    for kind in (
        InvalidRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        TooLarge,
        UnsupportedMediaType,
        Unprocessable,
        TooManyRequests,
        Internal,
        Unavailable,
        InsufficientStorage,
    )
}
