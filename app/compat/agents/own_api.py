"""Call the HTTP API of this process on behalf of an agent."""

from typing import Any

from mcp.server.mcpserver.exceptions import ToolError
from starlette.requests import Request

from app.compat import own_api

Json = dict[str, Any]


async def call(request: Request, method: str, *path: str, **content: Any) -> Json:  # noqa: ANN401
    """Return the answer of a call; its arguments are those of `own_api.call`.

    Raises:
        ToolError: the call is refused; the agent reads why.
    """
    answer = await own_api.call(request, method, *path, **content)
    found: Json = answer.json()
    if answer.is_error:
        raise ToolError(f"{found['title']}: {found['detail']}")
    return found
