"""The tools of agents, each a call of the HTTP API.

Only this module and `own_api` import the SDK.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field
from starlette.requests import Request

from app.compat.agents.own_api import Json, call
from app.compat.agents.wording import (
    dataset_in_words,
    forecast_in_words,
    job_in_words,
    models_in_words,
    scorecard_in_words,
    text_in_words,
)
from app.registry.references import UNIVERSAL

INSTRUCTIONS = """\
Forecasts of series and continuations of texts by models that are judged against simple forecasts.
Every result begins with the verdict on its model and with warnings: repeat them with any number
that you quote. `universal` forecasts any series without training. To train: upload_csv, then
start_training, then read_job until it has succeeded, then scorecard."""
MOST_MODELS = 100
LONG = ("curve", "epochs", "each")  # parts of a scorecard for pictures and tables

Model = Annotated[str, Field(description="NAME (its champion), NAME@ALIAS or NAME@3")]
AnyModel = Annotated[
    str, Field(description="NAME, NAME@ALIAS or NAME@3; universal forecasts any series")
]
Horizon = Annotated[int | None, Field(ge=1, description="steps ahead; left out: as trained")]
Levels = Annotated[
    list[int] | None, Field(description="intervals, in % from 50 to 99, such as [80, 95]")
]
DatasetId = Annotated[str, Field(description="id of a dataset, from upload_csv")]
Column = list[float] | list[str]
Options = dict[str, Any]
Tool = Callable[..., Awaitable[CallToolResult]]
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)


def make_manager(version: str, max_body_bytes: int) -> StreamableHTTPSessionManager:
    """Return what handles requests; the gateway has checked their key, origin and host."""
    server = MCPServer("stepahead", version=version, instructions=INSTRUCTIONS)
    reading: tuple[Tool, ...] = (list_models, scorecard, read_job)
    adding: tuple[Tool, ...] = (
        forecast_values,
        forecast_dataset,
        continue_text,
        upload_csv,
        start_training,
    )
    for tool in reading:
        server.tool(annotations=READS)(tool)
    for tool in adding:
        server.tool(annotations=ADDS)(tool)
    server.streamable_http_app(
        stateless_http=True, json_response=True, max_request_body_size=max_body_bytes, host=""
    )
    return server.session_manager


async def list_models(
    ctx: Context[Any, Request],
    cursor: Annotated[str | None, Field(description="`next` of the answer before")] = None,
) -> CallToolResult:
    """List models by name, each with the verdict on its champion."""
    page = {"limit": MOST_MODELS, **({"cursor": cursor} if cursor else {})}
    found = await call(_request(ctx), "GET", "models", params=page)
    return _result(
        models_in_words(found["items"]), {"models": found["items"], "next": found["next"]}
    )


async def scorecard(ctx: Context[Any, Request], model: Model) -> CallToolResult:
    """Say in words how good a version is, compared with simple forecasts."""
    version = await _version(_request(ctx), model)
    card = version["scorecard"]
    short = {name: value for name, value in card.items() if name not in LONG}
    if card["series"] is not None:
        score = card["series"].items()
        short["series"] = {name: value for name, value in score if name not in LONG}
    about = {name: version[name] for name in ("model", "version", "kind", "aliases")}
    return _result(scorecard_in_words(version), {**about, "scorecard": short})


async def forecast_values(
    ctx: Context[Any, Request],
    *,
    history: Annotated[
        list[float] | dict[str, Column],
        Field(description="values, oldest first; several columns: an object of lists"),
    ],
    model: AnyModel = UNIVERSAL,
    horizon: Horizon = None,
    levels: Levels = None,
    timestamps: Annotated[
        list[str] | None, Field(description="when each value was, in ISO form")
    ] = None,
    future: Annotated[
        dict[str, Column] | None,
        Field(description="values of the model's columns known ahead, one for each step"),
    ] = None,
    series: Annotated[str | None, Field(description="a name for the series, for the log")] = None,
) -> CallToolResult:
    """Forecast the next values of a series."""
    body = {"history": history, "timestamps": timestamps, "future": future, "series": series}
    return await _forecast(ctx, {**body, "model": model, "horizon": horizon, "levels": levels})


async def forecast_dataset(
    ctx: Context[Any, Request],
    *,
    dataset: DatasetId,
    model: AnyModel = UNIVERSAL,
    horizon: Horizon = None,
    levels: Levels = None,
    series: Annotated[str | None, Field(description="which series, if there are several")] = None,
) -> CallToolResult:
    """Forecast what comes after the last rows of a dataset."""
    body = {"dataset": dataset, "series": series}
    return await _forecast(ctx, {**body, "model": model, "horizon": horizon, "levels": levels})


async def continue_text(
    ctx: Context[Any, Request],
    *,
    model: Model,
    text: Annotated[str, Field(description="what comes before")],
    steps: Annotated[int, Field(ge=1, description="how many tokens")] = 20,
    temperature: Annotated[float, Field(ge=0, description="0: the most probable token")] = 0.0,
    seed: Annotated[int | None, Field(description="draws alike when given again")] = None,
    stop: Annotated[list[str] | None, Field(description="strings that end the text")] = None,
) -> CallToolResult:
    """Continue a text."""
    body = {"model": model, "text": text, "steps": steps, "temperature": temperature}
    answer, verdict = await _predict(ctx, {**body, "seed": seed, "stop": stop, "top_k": 1})
    return _result(text_in_words(answer, verdict), {"verdict": verdict, **answer})


async def upload_csv(
    ctx: Context[Any, Request],
    *,
    content: Annotated[
        str, Field(description="the file itself, CSV with a header or a text; no address is read")
    ],
    filename: Annotated[str, Field(description="its name")] = "data.csv",
    read: Annotated[
        Options | None, Field(description="how to read it, as `read` of POST /datasets")
    ] = None,
) -> CallToolResult:
    """Store a file as a dataset, and say how it was understood and what is doubtful."""
    files: list[tuple[str, Any]] = [("file", (filename, content.encode()))]
    found = await call(_request(ctx), "POST", "datasets", files=files + _fields(read=read))
    report = found.pop("report")
    words = dataset_in_words({**found, "report": report})
    return _result(words, {"warnings": report["warnings"], "dataset": found})


async def start_training(
    ctx: Context[Any, Request],
    *,
    model: Annotated[str, Field(description="name of the model; a new one is made")],
    dataset: DatasetId,
    target: Annotated[str | None, Field(description="column to forecast")] = None,
    recipe: Annotated[
        Options | None, Field(description='a preset and what differs, such as {"epochs": 50}')
    ] = None,
) -> CallToolResult:
    """Train a version of a model in the background; read_job shows how far it is."""
    fields = _fields(dataset=dataset, target=target, recipe=recipe)
    job = await call(_request(ctx), "POST", "models", model, "train", files=fields)
    return _result(job_in_words(job, None), {"job": job})


async def read_job(
    ctx: Context[Any, Request],
    job: Annotated[str, Field(description="id of the job, from start_training")],
) -> CallToolResult:
    """Say how far a training is and, once it has succeeded, how good its version is."""
    request = _request(ctx)
    found = await call(request, "GET", "jobs", job)
    verdict = None
    if found["version"] is not None:
        version = await _version(request, f"{found['model']}@{found['version']}")
        verdict = version["scorecard"]["verdict"]
    found.pop("curve")
    return _result(job_in_words(found, verdict), {"verdict": verdict, "job": found})


async def _forecast(ctx: Context[Any, Request], body: Json) -> CallToolResult:
    answer, verdict = await _predict(ctx, body)
    return _result(forecast_in_words(answer, verdict), {"verdict": verdict, **answer})


async def _predict(ctx: Context[Any, Request], body: Json) -> tuple[Json, str]:
    """Return an answer, and the verdict on the version that gave it."""
    request = _request(ctx)
    given = {name: value for name, value in body.items() if value is not None}
    answer = await call(request, "POST", "predict", json=given)
    version = await _version(request, f"{answer['model']}@{answer['version']}")
    return answer, version["scorecard"]["verdict"]


async def _version(request: Request, reference: str) -> Json:
    """Return the version that a name stands for."""
    name, _, which = reference.partition("@")
    if not which.isdecimal():
        aliases = (await call(request, "GET", "models", name))["aliases"]
        which = str(aliases.get(which or "champion", which or "champion"))
    return await call(request, "GET", "models", name, "versions", which)


def _request(ctx: Context[Any, Request]) -> Request:
    request = ctx.request_context.request
    if request is None:
        raise TypeError("the tools are for requests over HTTP")
    return request


def _fields(**given: object) -> list[tuple[str, Any]]:
    """Return the fields of a form that are given."""
    return [
        (name, (None, value if isinstance(value, str) else json.dumps(value)))
        for name, value in given.items()
        if value is not None
    ]


def _result(words: str, structured: Json) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=words)], structured_content=structured
    )
