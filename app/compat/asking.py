"""Ask for predictions on behalf of the adapters: as `POST /predict/batch` does, but without HTTP.

Batching, the runtime, the limits of keys and the promises of the log are the same as there.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json
from starlette.requests import Request

from app.errors import (
    BY_STATUS,
    FieldError,
    Internal,
    InvalidRequest,
    NotFound,
    StepaheadError,
    TooManyRequests,
    Unavailable,
    Unprocessable,
)
from app.http.direct_calls import Call, DirectHandler, Headers, Whole
from app.predictions.calls import Predictions
from app.predictions.loaded import Loaded
from app.predictions.schemas import MAX_ITEMS

BATCH = ("POST", "/predict/batch")


class _Asked(Call):
    """A batch whose answer goes to a coroutine of this process."""

    __slots__ = ("answered",)

    def __init__(self, request: Request, body: bytes) -> None:
        # Refused items are logged under the path that the client called.
        whole = Whole("POST", request.scope["path"], {}, body, not_over_http)
        super().__init__(whole, request.scope["request_id"], request.app.state.metrics)
        self.caller = request.scope["caller"]
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def answer(self, body: bytes) -> None:
        if not self.answered.done():  # the client may be gone
            self.answered.set_result(body)

    def refuse(self, error: StepaheadError) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


async def ask(request: Request, items: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    """Return the answers of `POST /predict/batch`, in the order of the items.

    When this returns, the answers are committed to the log. An item that failed is `{"error":
    problem}` in its place.

    Args:
        request: the client's request, with its caller and request id.
        items: bodies of `POST /predict`.

    Raises:
        StepaheadError: the batch as a whole is refused.
    """
    if len(items) > MAX_ITEMS:
        raise InvalidRequest(
            f"this asks for {len(items)} predictions; a request may ask for {MAX_ITEMS}"
        )
    handler: DirectHandler = request.app.state.direct[BATCH]
    call = _Asked(request, to_json({"items": items}))
    call.run(handler)
    answered: list[dict[str, Any]] = from_json(await call.answered)["items"]
    return answered


async def version_of(request: Request, reference: str) -> Loaded:
    """Return the version that a name stands for, loading it if necessary.

    Raises:
        Forbidden: the caller's key is for other models.
        NotFound: there is no such model, alias or version.
    """
    predictions: Predictions = request.app.state.predictions
    try:
        asked = predictions.runtime.reference(reference)
    except Unprocessable as error:
        raise NotFound(error.detail) from error
    request.scope["caller"].check_model(asked.name)
    return predictions.runtime.ready(asked) or await predictions.runtime.load(asked)


def error_of(problem: Mapping[str, Any], *, where: str = "") -> StepaheadError:
    """Return the error that the problem of an item describes.

    Args:
        problem: of the item.
        where: put before its detail, such as "series 3: ".
    """
    detail = where + problem["detail"]
    kind = BY_STATUS.get(problem["status"], Internal)
    if issubclass(kind, (TooManyRequests, Unavailable)):
        return kind(detail, retry_after_seconds=1)
    return kind(detail, errors=tuple(FieldError(**place) for place in problem["errors"]))


def not_over_http(_status: int, _headers: Headers, _body: bytes) -> None:
    """Refuse to send an answer that is for a coroutine."""
    raise Internal("an answer for a coroutine was sent over HTTP")
