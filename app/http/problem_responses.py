"""Answer errors as `application/problem+json`, all through one renderer.

Internal details are never shown: the answer to an unexpected error contains only its request id,
and the log has the rest.
"""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope

from app.errors import (
    BY_STATUS,
    FieldError,
    InsufficientStorage,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    StepaheadError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
)
from app.process.disk import is_full
from app.process.observability import get_logger
from app.storage.engine import is_database_full
from app.validation_messages import wrong_fields

logger = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

# Returns status and body of an error's answer for a protocol whose clients do not read problems.
ErrorForm = Callable[[StepaheadError], tuple[int, Mapping[str, object]]]

READING = ("GET", "HEAD")
METHODS = (*READING, "POST", "PUT", "PATCH", "DELETE")
NAMED_PLACES = 5  # in `detail`: as many as fit into a readable sentence
DISK_FULL = "disk full: there is no room to store this; try again when space has been freed"
DATABASE_FULL = (
    "the database's disk is full; nothing was stored, try again when space has been freed"
)
DATABASE_AWAY = "the database cannot be reached at the moment; try again"

# The errors of SQLAlchemy and psycopg if the database is away.
DATABASE_ERRORS = (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError)


def problem_bytes(error: StepaheadError) -> bytes:
    """Return the body of an error's answer."""
    return to_json(error.problem())


def problem_headers(error: StepaheadError) -> dict[str, str]:
    """Return the headers of an error's answer."""
    if isinstance(error, (Unavailable, TooManyRequests)):
        return {"Retry-After": str(error.retry_after_seconds)}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def problem_response(error: StepaheadError, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as an HTTP answer."""
    return Response(
        problem_bytes(error),
        status_code=error.status,
        media_type=MEDIA_TYPE,
        headers={**problem_headers(error), **(headers or {})},
    )


def answer_problem(
    scope: Scope, error: StepaheadError, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with an error in the form of the protocol that the path belongs to.

    On our own paths this is a page if a browser opened the address, otherwise JSON.
    """
    form = _form_of(scope)
    if form is not None:
        every = {**problem_headers(error), **(headers or {})}
        status, body = form(error)
        return JSONResponse(body, status, headers=every)
    if scope["method"] == "GET" and _opens_a_page(scope):
        page: Response = scope["app"].state.problem_page(error, scope["path"])
        page.headers.update({**problem_headers(error), **(headers or {})})
        return page
    return problem_response(error, headers)


def _form_of(scope: Scope) -> ErrorForm | None:
    """Return the form of errors of another protocol; None: ours."""
    forms: Mapping[str, ErrorForm] = scope["app"].state.error_forms
    path = scope["path"] + "/"
    return next((form for prefix, form in forms.items() if path.startswith(prefix)), None)


def _opens_a_page(scope: Scope) -> bool:
    """Return whether the request explicitly accepts HTML, as browsers do and scripts do not."""
    accepts = (value for name, value in scope["headers"] if name == b"accept")
    return any(b"text/html" in value.lower() for value in accepts)


def unforeseen(error: BaseException, request_id: str) -> Internal:
    """Log an unexpected error, and return the error for the caller."""
    logger.error("unforeseen error", request_id=request_id, exc_info=error)
    return internal_error(request_id)


def internal_error(request_id: str) -> Internal:
    """Return what the caller is told about an unexpected error."""
    return Internal(
        f"an unexpected error occurred; the log contains it under request id {request_id}"
    )


def broken_json(entry: Mapping[str, Any]) -> InvalidRequest:
    """Return the error for invalid JSON from pydantic's or FastAPI's entry about it."""
    reason = entry.get("ctx", {}).get("error", "it could not be parsed")
    return InvalidRequest(f"the body is not valid JSON: {reason}")


def invalid_fields(entries: Iterable[Mapping[str, Any]]) -> StepaheadError:
    """Turn pydantic's error entries into one error that names every wrong field."""
    entries = list(entries)
    for entry in entries:
        if entry["type"] == "json_invalid":
            return broken_json(entry)
    return wrong_places(wrong_fields(entries))


def wrong_places(places: tuple[FieldError, ...]) -> Unprocessable:
    """Return a 422 that names the first few places in its detail and all of them in `errors`."""
    detail = "; ".join(f"{place.field}: {place.message}" for place in places[:NAMED_PLACES])
    if len(places) > NAMED_PLACES:
        detail += f"; and {len(places) - NAMED_PLACES} more"
    return Unprocessable(detail, errors=places)


def from_http_exception(error: HTTPException, path: str) -> StepaheadError:
    """Turn Starlette's own errors, such as an unknown path, into ours."""
    if error.status_code == HTTPStatus.NOT_FOUND and error.detail == "Not Found":
        return NotFound(f"there is nothing at {path}")
    return BY_STATUS.get(error.status_code, InvalidRequest)(str(error.detail))


async def _on_stepahead_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, StepaheadError):
        raise error
    return answer_problem(request.scope, error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    content_type = request.headers.get("content-type", "none")
    unread_body = isinstance(error.body, bytes) and "json" not in content_type
    if unread_body and any(entry["loc"] == ("body",) for entry in error.errors()):
        return answer_problem(
            request.scope,
            UnsupportedMediaType(
                f"the content type is {content_type}; this call reads application/json"
            ),
        )
    return answer_problem(request.scope, invalid_fields(error.errors()))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(methods_at(request.scope))
        path = request.url.path
        ours = MethodNotAllowed(f"{path} does not take {request.method}; it takes {allowed}")
        return answer_problem(request.scope, ours, {"Allow": allowed})
    return answer_problem(request.scope, from_http_exception(error, request.url.path))


def methods_at(scope: Scope) -> list[str]:
    """Return the methods that are there for a request's path, of all routes together."""
    routes: list[BaseRoute] = scope["app"].routes
    # What is mounted has changed the root.
    whole = {**scope, "root_path": scope.get("app_root_path", scope.get("root_path", ""))}
    return [method for method in METHODS if any(_takes(route, whole, method) for route in routes)]


def _takes(route: BaseRoute, scope: Scope, method: str) -> bool:
    found, _ = route.matches({**scope, "method": method})
    # What is mounted are files, which can be read.
    return found is Match.FULL and (method in READING or not isinstance(route, Mount))


async def _on_database_away(request: Request, error: Exception) -> Response:
    if is_database_full(error):
        return answer_problem(request.scope, InsufficientStorage(DATABASE_FULL))
    return answer_problem(request.scope, Unavailable(DATABASE_AWAY))


async def _on_os_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, OSError) or not is_full(error):
        raise error
    return answer_problem(request.scope, InsufficientStorage(DISK_FULL))


async def _on_unforeseen(request: Request, error: Exception) -> Response:
    problem = unforeseen(error, request.scope.get("request_id", "unknown"))
    # Starlette re-raises the error, and uvicorn then closes the connection; this tells the caller.
    return answer_problem(request.scope, problem, {"Connection": "close"})


def install(app: FastAPI, forms: Mapping[str, ErrorForm]) -> None:
    """Answer every error of this app through the one renderer.

    Args:
        app: the app.
        forms: the forms of errors below certain paths, which end with a slash; errors of other
            paths are problems.
    """
    app.state.error_forms = forms
    app.add_exception_handler(StepaheadError, _on_stepahead_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    for away in DATABASE_ERRORS:
        app.add_exception_handler(away, _on_database_away)
    app.add_exception_handler(OSError, _on_os_error)
    app.add_exception_handler(Exception, _on_unforeseen)
