"""Open and close browser sessions: a cookie, and a token for requests that change something.

The cookie alone allows reading. A change also needs the token, which a page gets from
`GET /session` and no other site can read. Signing out ends the session on the server.
"""

from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from app.access import store
from app.access.admission import COOKIE, Admission
from app.access.keyring import Keyring
from app.access.secrets import new_token
from app.errors import Unprocessable
from app.http.caller import Scope
from app.http.dependencies import SessionDep, SettingsDep

router = APIRouter(include_in_schema=False)

INSECURE_SCHEMES = frozenset({"http"})


class ShownKey(BaseModel):
    """The key that opens a session."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str = Field(max_length=10_000)


class SessionAnswer(BaseModel):
    """Whether this browser is signed in, as whom, and the token for its changes."""

    key_required: bool
    signed_in: bool
    token: str | None = None
    name: str | None = None  # of its key
    scope: Scope | None = None


@router.get("/session")
def get_session(request: Request, response: Response, settings: SettingsDep) -> SessionAnswer:
    """Return whether a key is required, and whose key this browser signed in with."""
    response.headers["Cache-Control"] = "no-store"
    admission = _admission(request)
    cookie = request.cookies.get(COOKIE)
    caller = None if cookie is None else admission.of_cookie(cookie)
    if caller is not None and cookie is not None:
        return SessionAnswer(
            key_required=settings.api_key is not None,
            signed_in=True,
            token=admission.token(cookie),
            name=caller.name,
            scope=caller.scope,
        )
    if settings.api_key is None:
        return SessionAnswer(key_required=False, signed_in=True, scope=Scope.ADMIN)
    return SessionAnswer(key_required=True, signed_in=False)


@router.post("/session")
def open_session(
    shown: ShownKey,
    request: Request,
    response: Response,
    session: SessionDep,
    settings: SettingsDep,
) -> SessionAnswer:
    """Exchange a key for a session cookie."""
    response.headers["Cache-Control"] = "no-store"
    admission = _admission(request)
    address = None if request.client is None else request.client.host
    caller = admission.of_shown_key(shown.key.strip(), address)
    if caller is None:
        raise Unprocessable.at("key", "is not a valid key: it is mistyped, expired or revoked")
    cookie = new_token()
    store.open_session(session, admission.digest(cookie), caller.key_id)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(store.SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme not in INSECURE_SCHEMES,
    )
    session.flush()
    _keyring(request).remember_session(cookie, caller)
    return SessionAnswer(
        key_required=settings.api_key is not None,
        signed_in=True,
        token=admission.token(cookie),
        name=caller.name,
        scope=caller.scope,
    )


@router.delete("/session", status_code=status.HTTP_204_NO_CONTENT)
def close_session(request: Request, response: Response, session: SessionDep) -> None:
    """End the session on the server and forget the cookie in this browser."""
    cookie = request.cookies.get(COOKIE)
    if cookie is not None:
        admission = _admission(request)
        store.end_session(session, admission.digest(cookie))
        _keyring(request).forget_session(cookie)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def _admission(request: Request) -> Admission:
    admission: Admission = request.app.state.admission
    return admission


def _keyring(request: Request) -> Keyring:
    keyring: Keyring = request.app.state.keyring
    return keyring
