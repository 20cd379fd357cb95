"""Call the HTTP API of this process on behalf of the client of another service.

It is a request of the API with the client's own key: scopes, limits, the log and the audit list
apply as to any other. No other address is called.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.requests import Request

from app.http.caller import ANYONE

if TYPE_CHECKING:
    import httpx

LOCAL = "http://localhost"  # a name that a service for its own machine answers to


async def call(
    request: Request,
    method: str,
    *path: str,
    **content: Any,  # noqa: ANN401
) -> "httpx.Response":
    """Return the answer of a call.

    Args:
        request: the client's request.
        method: of HTTP.
        path: its segments, not quoted yet.
        content: httpx's `params`, `json` or `files`.
    """
    import httpx

    headers = {"X-Request-Id": request.scope["request_id"]}
    key = request.headers.get("Authorization")
    if key is not None and request.scope["caller"] is not ANYONE:
        headers["Authorization"] = key
    client = request.client
    transport = httpx.ASGITransport(
        request.app,
        raise_app_exceptions=False,
        client=("127.0.0.1", 0) if client is None else (client.host, client.port),
    )
    where = "/" + "/".join(quote(part, safe="") for part in path)
    async with httpx.AsyncClient(transport=transport, base_url=LOCAL, headers=headers) as http:
        return await http.request(method, where, **content)
