"""The dashboard: its pages, and the session of a browser that has shown the key.

Pages are frames without data; what they show they fetch from the public API, as anyone could.
"""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response, status
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from app.errors import NotFound, Unprocessable
from app.http.browser_sessions import COOKIE, LIFETIME_SECONDS, Sessions
from app.http.dependencies import SettingsDep
from app.registry.references import MODEL_NAME
from app.web.assets import PLOTLY_URL, SAFE_HEADERS, STATIC_URL, plotly_compressed, plotly_file
from app.web.rendering import TEMPLATES

router = APIRouter(include_in_schema=False)

# Pages by address, in the order of the menu: template and title.
MENU = {
    "/": ("home", "Models"),
    "/ui/try": ("try", "Try"),
    "/ui/look": ("look", "Look inside"),
    "/ui/monitor": ("monitor", "Monitor"),
    "/ui/log": ("log", "Log"),
    "/ui/jobs": ("jobs", "Jobs"),
}
OTHERS = {"/ui/train": ("train", "Train")}
# Where the service says the same as JSON.
AS_JSON = {
    "home": "/models",
    "monitor": "/models",  # its script knows which
    "log": "/predictions",
    "jobs": "/jobs",
    "train": "/datasets",
}
HSTS_FREE_SCHEMES = frozenset({"http"})


def page(
    template: str, *, title: str, at: str, as_json: str | None = None, **values: str
) -> HTMLResponse:
    """A page's frame."""
    body = TEMPLATES.get_template(f"{template}.html").render(
        title=title,
        at=at,
        menu=[(address, label) for address, (_, label) in MENU.items()],
        page=template,
        as_json=as_json or AS_JSON.get(template),
        static=STATIC_URL,
        plotly=PLOTLY_URL,
        **values,
    )
    return HTMLResponse(body, headers={**SAFE_HEADERS, "Cache-Control": "no-cache"})


for address in (*MENU, *OTHERS):

    @router.get(address, name=f"page {address}")
    def show(request: Request) -> HTMLResponse:
        """A page whose address says all."""
        path: str = request.scope["route"].path
        template, title = (MENU | OTHERS)[path]
        return page(template, title=title, at=path)


@router.get("/ui/models/{name}")
def show_model(name: str) -> HTMLResponse:
    """A model's page; whether there is such a model the page finds out."""
    if not MODEL_NAME.fullmatch(name):
        raise NotFound(f"{name[:100]!r} is no model's name")
    return page("model", title=name, at="/", as_json=f"/models/{name}", model=name)


@router.get(PLOTLY_URL)
def plotly(accept_encoding: Annotated[str, Header()] = "") -> Response:
    """plotly.js; its address changes with its version, so it is kept by browsers."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if "gzip" not in accept_encoding:
        return FileResponse(plotly_file(), media_type="text/javascript", headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(plotly_compressed(), media_type="text/javascript", headers=headers)


class Key(BaseModel):
    """What opens a session."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str = Field(max_length=10_000)


class SessionAnswer(BaseModel):
    """Whether this browser may ask, and what its changes must carry."""

    key_required: bool
    signed_in: bool
    token: str | None


@router.get("/session")
def get_session(request: Request, response: Response, settings: SettingsDep) -> SessionAnswer:
    """Whether a key is needed, and this browser's token if it has shown it."""
    response.headers["Cache-Control"] = "no-store"
    if settings.api_key is None:
        return SessionAnswer(key_required=False, signed_in=True, token=None)
    sessions = Sessions(settings.api_key.get_secret_value())
    cookie = request.cookies.get(COOKIE, "")
    if not sessions.is_valid(cookie):
        return SessionAnswer(key_required=True, signed_in=False, token=None)
    return SessionAnswer(key_required=True, signed_in=True, token=sessions.token(cookie))


@router.post("/session")
def open_session(
    given: Key, request: Request, response: Response, settings: SettingsDep
) -> SessionAnswer:
    """Show the key once; the cookie stands for it from then on."""
    response.headers["Cache-Control"] = "no-store"
    if settings.api_key is None:
        return SessionAnswer(key_required=False, signed_in=True, token=None)
    sessions = Sessions(settings.api_key.get_secret_value())
    if not sessions.opened_by(given.key.strip()):
        raise Unprocessable.at("key", "is not this service's key (STEPAHEAD_API_KEY)")
    cookie = sessions.new()
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=LIFETIME_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme not in HSTS_FREE_SCHEMES,
    )
    return SessionAnswer(key_required=True, signed_in=True, token=sessions.token(cookie))


@router.delete("/session", status_code=status.HTTP_204_NO_CONTENT)
def close_session(response: Response) -> None:
    """Forget the key in this browser."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
