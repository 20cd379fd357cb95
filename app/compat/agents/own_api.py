"""Call the HTTP API of this process on behalf of an agent.

Whatever a tool does is a request of the API with the agent's own key: scopes, limits, the log and
the audit list apply as to any other. No other address is called.
"""

from typing import Any
from urllib.parse import quote

import httpx
from mcp.server.mcpserver.exceptions import ToolError
from starlette.requests import Request

from app.http.caller import ANYONE

LOCAL = "http://localhost"  # a name that a service for its own machine answers to
Json = dict[str, Any]


async def call(request: Request, method: str, *path: str, **content: Any) -> Json:  # noqa: ANN401
    """Return the answer of a call.

    Args:
        request: the agent's request.
        method: of HTTP.
        path: its segments, not quoted yet.
        content: httpx's `params`, `json` or `files`.

    Raises:
        ToolError: the call is refused; the agent reads why.
    """
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
        answer = await http.request(method, where, **content)
    found: Json = answer.json()
    if answer.is_error:
        raise ToolError(f"{found['title']}: {found['detail']}")
    return found
