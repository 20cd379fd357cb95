"""Answer probes: whether this process is alive and ready, and its metrics."""

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
    """Reasons not to send requests to this process; kept in `app.state.health`."""

    # Set when the process is about to end; open event streams then end.
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    # Each returns a reason or None, without waiting for anything.
    checks: list[Callable[[], str | None]] = field(default_factory=list)
    # Returns what is wrong with other processes of the service, which does not affect readiness.
    notices: Callable[[], list[str]] = nothing_to_say
    # Returns why the object store cannot be used, or None. Predictions of loaded versions need no
    # store, so this check is separate.
    store: Callable[[], str | None] = _nothing

    def reasons(self) -> list[str]:
        """List why this process is not ready, apart from the store; empty if it is ready."""
        draining = ["this process is about to end"] if self.draining.is_set() else []
        return draining + [reason for check in self.checks if (reason := check()) is not None]

    def store_reasons(self) -> list[str]:
        """List why the object store cannot be used; empty if it can be used."""
        reason = self.store()
        return [] if reason is None else [reason]


class Alive(BaseModel):
    """The answer of a living process."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The answer of a process that is ready for requests."""

    status: Literal["ready"] = "ready"
    warnings: Annotated[
        list[str],
        Field(description="problems of this service's other processes and of excluded checks"),
    ] = []


@router.head("/livez", include_in_schema=False)
@router.get(
    "/livez",
    summary="Check that the process is alive",
    operation_id="livez",
    responses=problem_responses(),
)
async def livez() -> Alive:
    """Answers while the process is running, whatever the state of its dependencies."""
    return Alive()


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    summary="Check that the process is ready for requests",
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
    """Ready, or 503 with every reason: about to end, no database, no object store, no registry."""
    health: Health = request.app.state.health
    of_store = health.store_reasons()
    if reasons := health.reasons() + ([] if exclude == "store" else of_store):
        reasons += health.notices()  # which may say why
        not_ready = Unavailable("not ready: " + "; ".join(reasons))
        not_ready.errors = tuple(FieldError(message=reason) for reason in reasons)
        raise not_ready
    return Ready(warnings=health.notices() + of_store)


@router.head("/metrics", include_in_schema=False)
@router.get(
    "/metrics",
    summary="Get metrics for Prometheus",
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
