"""The errors that a caller may see, and the one form in which they are shown.

StepaheadError
├── InvalidRequest          400  could not be parsed (broken JSON, a bad cursor)
├── Unauthorized            401  the key is missing or wrong
├── Forbidden               403  not allowed, for example a write from a foreign origin
├── NotFound                404  no such model, version, dataset, job or prediction
├── MethodNotAllowed        405
├── RequestTimeout          408  the request did not arrive in time
├── Conflict                409  valid, but not in the current state
├── TooLarge                413  over a limit on bytes
├── UriTooLong              414
├── UnsupportedMediaType    415
├── Unprocessable           422  validation failed; `errors` names the places
├── TooManyRequests         429  over a limit on frequency
├── HeadTooLarge            431  headers, trailers or chunk extensions over their limit
├── Internal                500  our fault; reveals nothing internal
├── Unavailable             503  try again after `retry_after_seconds`
└── InsufficientStorage     507  the disk is full; try again once there is space
"""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One invalid place in a request or a file."""

    message: str  # what is wrong and what to do
    field: str | None = None  # dotted path in the request: "history.3", "recipe.window"
    row: int | None = None  # in a file, counted from 1 for the first line
    column: str | None = None  # in a file, the name of the column

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of `errors` in a problem."""
        return {
            "field": self.field,
            "row": self.row,
            "column": self.column,
            "message": self.message,
        }


class StepaheadError(Exception):
    """Base class of all errors that a caller may see.

    Args:
        detail: one or two sentences for a person: what is wrong, where, and what to do.
        errors: the invalid places, if there are any.
        extra: further members of the problem (RFC 9457: extensions), as JSON values.
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
        """Return the error as `application/problem+json` (RFC 9457)."""
        return {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "errors": [error.as_dict() for error in self.errors],
            **self.extra,
        }


class InvalidRequest(StepaheadError):
    """The request could not be parsed."""

    status, title, slug = 400, "Invalid request", "invalid-request"


class Unauthorized(StepaheadError):
    """The key is missing or wrong."""

    status, title, slug = 401, "Unauthorized", "unauthorized"


class Forbidden(StepaheadError):
    """The caller may not do this."""

    status, title, slug = 403, "Forbidden", "forbidden"


class NotFound(StepaheadError):
    """Nothing here has that name."""

    status, title, slug = 404, "Not found", "not-found"


class MethodNotAllowed(StepaheadError):
    """The path exists, but not with this method."""

    status, title, slug = 405, "Method not allowed", "method-not-allowed"


class RequestTimeout(StepaheadError):
    """The request did not arrive in time."""

    status, title, slug = 408, "Request timeout", "request-timeout"


class Conflict(StepaheadError):
    """The request is valid, but not in the current state."""

    status, title, slug = 409, "Conflict", "conflict"


class TooLarge(StepaheadError):
    """The body has more bytes than allowed."""

    status, title, slug = 413, "Too large", "too-large"


class UriTooLong(StepaheadError):
    """The request line is over its limit."""

    status, title, slug = 414, "URI too long", "uri-too-long"


class UnsupportedMediaType(StepaheadError):
    """The call does not accept a body of this type."""

    status, title, slug = 415, "Unsupported media type", "unsupported-media-type"


class Unprocessable(StepaheadError):
    """Validation failed; see `errors`."""

    status, title, slug = 422, "Unprocessable", "unprocessable"

    @classmethod
    def at(cls, field: str, message: str) -> "Unprocessable":
        """Return the error for one invalid field of a request."""
        return cls(f"{field}: {message}", errors=(FieldError(field=field, message=message),))


class TooManyRequests(StepaheadError):
    """The caller is over a limit and may try again later.

    Args:
        detail: which limit, in a sentence.
        retry_after_seconds: when to try again.
        extra: further members of the problem.
    """

    status, title, slug = 429, "Too many requests", "too-many-requests"

    def __init__(
        self, detail: str, *, retry_after_seconds: int, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(detail, extra=extra)
        self.retry_after_seconds = retry_after_seconds


class HeadTooLarge(StepaheadError):
    """Headers, trailers or chunk extensions are over their limit."""

    status, title, slug = 431, "Request header fields too large", "head-too-large"


class Internal(StepaheadError):
    """Our fault; the log has the details under the request id."""


class Unavailable(StepaheadError):
    """The service cannot do this at the moment.

    Args:
        detail: why, in a sentence.
        retry_after_seconds: when to try again.
    """

    status, title, slug = 503, "Unavailable", "unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class InsufficientStorage(StepaheadError):
    """The disk has no space for this; nothing was stored."""

    status, title, slug = 507, "Insufficient storage", "insufficient-storage"


BY_STATUS: dict[int, type[StepaheadError]] = {
    kind.status: kind
    for kind in (
        InvalidRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        RequestTimeout,
        Conflict,
        TooLarge,
        UriTooLong,
        UnsupportedMediaType,
        Unprocessable,
        TooManyRequests,
        HeadTooLarge,
        Internal,
        Unavailable,
        InsufficientStorage,
    )
}
