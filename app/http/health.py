"""Whether this process lives, whether it should get requests, and its figures."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from app.errors import FieldError, Unavailable
from app.http.dependencies import ResourcesDep
from app.http.openapi import problem_responses
from app.http.shared_figures import shared_figures
from app.process.notice_board import nothing_to_say
from app.process.observability import Metrics

router = APIRouter(tags=["health"])


def _nothing() -> None:
    """Return no reason."""


@dataclass(kw_only=True)
class Health:
    """What speaks against sending requests here; kept in `app.state.health`."""

    # Set on the way out; open event streams end when they see it.
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    # Each returns a reason or None, without waiting for anything.
    checks: list[Callable[[], str | None]] = field(default_factory=list)
    # Reads what is wrong with the service's other processes, which speaks not against this one.
    notices: Callable[[], list[str]] = nothing_to_say
    # Returns why the object store cannot be used, or None. Predictions of loaded versions need no
    # store, so it is told apart from the other checks.
    store: Callable[[], str | None] = _nothing

    def reasons(self) -> list[str]:
        """List why this process is not ready, the store aside; empty if it is."""
        draining = ["this process is ending"] if self.draining.is_set() else []
        return draining + [reason for check in self.checks if (reason := check()) is not None]

    def store_reasons(self) -> list[str]:
        """List why the object store cannot be used; empty if it can."""
        reason = self.store()
        return [] if reason is None else [reason]


class Alive(BaseModel):
    """The answer of a living process."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The answer of a process that wants requests."""

    status: Literal["ready"] = "ready"
    warnings: Annotated[
        list[str],
        Field(description="what is wrong with other processes of this service, or was excluded"),
    ] = []


@router.get(
    "/livez",
    summary="Is the process alive?",
    operation_id="livez",
    responses=problem_responses(),
)
async def livez() -> Alive:
    """Answers as long as the process turns; says nothing about what it depends on."""
    return Alive()


@router.get(
    "/readyz",
    summary="Should this process get requests?",
    operation_id="readyz",
    responses=problem_responses(422),
)
async def readyz(
    request: Request,
    exclude: Annotated[
        Literal["store"] | None,
        Query(
            description="left out of the decision, for load balancers: while the object store is "
            "away uploads fail, but predictions go on"
        ),
    ] = None,
) -> Ready:
    """Ready, or a 503 with every reason: ending, no database, no object store, no registry."""
    health: Health = request.app.state.health
    of_store = health.store_reasons()
    if reasons := health.reasons() + ([] if exclude == "store" else of_store):
        not_ready = Unavailable("not ready: " + "; ".join(reasons))
        not_ready.errors = tuple(FieldError(message=reason) for reason in reasons)
        raise not_ready
    return Ready(warnings=health.notices() + of_store)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    operation_id="metrics",
    response_class=Response,
    responses={
        **problem_responses(),
        200: {
            "description": "the figures of all api processes of this machine",
            "content": {"text/plain": {"example": 'stepahead_jobs{status="running"} 1.0'}},
        },
    },
)
async def metrics(request: Request, resources: ResourcesDep) -> Response:
    """Requests, latencies, batch sizes, log writes, jobs by status, loaded versions."""
    figures: Metrics = request.app.state.metrics
    figures.put()
    shared = await asyncio.to_thread(shared_figures, resources)
    exposition, content_type = await asyncio.to_thread(figures.exposition, shared)
    return Response(exposition, headers={"Content-Type": content_type})
