"""What an agent sees: upload a file, forecast it without training, and ask how good a model is.

pip install mcp
python -m examples.clients.agent [http://127.0.0.1:8000]
"""

import asyncio
import math
import sys
from typing import Any

from mcp.client import Client
from mcp_types import TextContent


def main(url: str = "http://127.0.0.1:8000") -> None:
    """Connect to a service."""
    asyncio.run(show(url))


async def show(url: str) -> None:
    """Use four tools, the last of them wrongly."""
    async with Client(f"{url}/mcp") as agent:
        print("tools:", ", ".join(tool.name for tool in (await agent.list_tools()).tools))
        stored = await use(agent, "upload_csv", content=made_up_sales(), filename="sales.csv")
        dataset = stored["dataset"]["id"]
        await use(agent, "forecast_dataset", dataset=dataset, horizon=3, levels=[80])
        await use(agent, "scorecard", model="google-stock")
        await use(agent, "forecast_values", model="nobody", history=[778.81, 788.36])


async def use(agent: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Print what a tool says, and return its structured result."""
    result = await agent.call_tool(tool, arguments)
    print(f"\n{tool}{' refused' if result.is_error else ''}:")
    for content in result.content:
        if isinstance(content, TextContent):
            print(content.text)
    return result.structured_content or {}


def made_up_sales() -> str:
    """Return four weeks with a weekly season as CSV."""
    values = (50 + 10 * math.sin(2 * math.pi * day / 7) for day in range(28))
    rows = (f"2026-02-{day:02d},{value:.2f}" for day, value in enumerate(values, start=1))
    return "\n".join(["day,sales", *rows, ""])


if __name__ == "__main__":
    main(*sys.argv[1:])
