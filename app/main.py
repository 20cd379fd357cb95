"""The api process, from top to bottom: settings, parts, routes, errors."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.metadata import version
from types import FrameType

from fastapi import FastAPI
from sqlalchemy import Engine, event
from sqlalchemy.orm import sessionmaker
from starlette.types import Receive, Scope, Send

from app.access import api as access
from app.access import session_api
from app.access.admission import Admission
from app.access.keyring import Keyring
from app.assessments.comparisons import api as comparisons
from app.assessments.evaluations import api as evaluations
from app.compat.agents import api as agents
from app.compat.completions import api as completions
from app.compat.completions import tokens
from app.compat.nixtla import api as nixtla
from app.compat.nixtla import finetuning
from app.compat.open_inference import api as open_inference
from app.compat.timeseries import api as timeseries
from app.config import Settings, get_settings
from app.datasets import api as datasets
from app.erasure import api as erasure
from app.explanations import api as explanations
from app.forecast_runs import api as forecast_runs
from app.http import health, openapi, problem_responses, store_watch
from app.http.gateway import Gateway
from app.http.health import Health
from app.http.problem_responses import ErrorForm
from app.jobs import api as jobs
from app.monitoring import api as monitoring
from app.monitoring import partition_keeper
from app.monitoring.actuals import api as actuals
from app.predictions import api as predictions
from app.predictions.logged import api as logged_predictions
from app.process.notice_board import nothing_to_say
from app.process.observability import Metrics, configure_logging
from app.process.shared_figures import Slot
from app.process.tracing import tracing_of
from app.registry import api as registry
from app.registry import watch
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore, Observer
from app.storage.resources import Resources
from app.storage.store_metrics import StoreMetrics
from app.web import api as web
from app.web import version_report
from app.web.assets import STATIC_URL, assets
from app.web.problem_pages import problem_page

DESCRIPTION = """\
A service that predicts the next step. Upload a CSV of numbers over time, or a text; an LSTM is
trained in the background, judged against simple forecasts, kept as a version, and served here.

Errors are `application/problem+json`; every answer carries `X-Request-Id`. Lists answer
`{"items": [...], "next": cursor or null}`.
"""
# In the order in which they start; they stop in reverse.
WITH_LIFESPAN = (
    access,
    watch,
    store_watch,
    datasets,
    jobs,
    predictions,
    partition_keeper,
    logged_predictions,
    explanations,
    agents,
)
ROUTERS = (
    predictions.router,
    logged_predictions.router,
    forecast_runs.router,
    registry.router,
    evaluations.router,
    datasets.router,
    jobs.router,
    comparisons.router,
    actuals.router,
    monitoring.router,
    explanations.router,
    erasure.router,
    access.router,
    session_api.router,
    health.router,
    nixtla.router,
    finetuning.router,
    open_inference.router,
    timeseries.router,
    completions.router,
    tokens.router,
    agents.router,
    web.router,
    version_report.router,
)
# Of errors below these paths, for clients that know no problems; the first that fits.
ERROR_FORMS: Mapping[str, ErrorForm] = {
    **dict.fromkeys(nixtla.PATHS, nixtla.error_form),
    **{each.PATH: each.error_form for each in (open_inference, timeseries, completions)},
}


NO_DATABASE = "no database: set STEPAHEAD_DATABASE_URL, or run `stepahead serve`, which brings one"


def create_app(
    settings: Settings | None = None,
    *,
    database_url: str | None = None,
    notices: Callable[[], list[str]] = nothing_to_say,
    slot: Slot | None = None,
) -> FastAPI:
    """Build the service's HTTP side.

    Args:
        settings: by default, read from the environment.
        database_url: a migrated PostgreSQL database; by default, that of the settings.
        notices: reads a supervisor's notices about the service's other processes.
        slot: of this process among several whose figures are counted together.

    Raises:
        ValueError: no database is set.
    """
    settings = settings or get_settings()
    url = database_url or settings.database_url
    if url is None:
        raise ValueError(NO_DATABASE)
    configure_logging(settings)
    metrics = Metrics(slot)
    store_metrics = StoreMetrics(metrics)
    app = Api(
        title="Stepahead",
        version=version("stepahead"),
        summary="Predicts the next step of a series or a text.",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lambda app: serving(app, settings, url, notices=notices),
        # Prometheus has the metrics; asking OpenTelemetry took 10 us of every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.metrics = metrics
    app.state.problem_page = problem_page
    app.state.store_metrics = store_metrics
    app.state.direct = {}  # filled by the domains that answer calls directly
    app.state.keyring = Keyring(settings)
    app.state.admission = Admission(settings, app.state.keyring)
    app.gateway = Gateway(
        app.beyond_gateway,
        settings=settings,
        metrics=metrics,
        direct=app.state.direct,
        guard=app.state.admission,
        tracing=tracing_of("api"),
    )
    problem_responses.install(app, ERROR_FORMS)
    openapi.describe(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount(openapi.ASSETS_URL, openapi.assets())
    app.mount(STATIC_URL, assets())
    return app


@asynccontextmanager
async def serving(
    app: FastAPI, settings: Settings, database_url: str, *, notices: Callable[[], list[str]]
) -> AsyncIterator[None]:
    """Open what the app needs to serve, and close it in reverse order."""
    metrics: Metrics = app.state.metrics
    store_metrics: StoreMetrics = app.state.store_metrics
    async with AsyncExitStack() as parts:
        parts.callback(metrics.close)
        resources = open_resources(settings, database_url, observe_store=store_metrics.observe)
        parts.callback(resources.engine.dispose)
        if resources.replica is not None:
            parts.callback(resources.replica.kw["bind"].dispose)
        app.state.resources = resources
        count_connections(resources.engine, metrics)
        app.state.health = Health(notices=notices)
        for domain in WITH_LIFESPAN:
            await parts.enter_async_context(domain.lifespan_of(app, resources))
        parts.enter_context(draining_at_sigterm(app.state.health))
        yield


class Api(FastAPI):
    """FastAPI behind the gateway, which would have four layers around it if it were middleware."""

    gateway: Gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or the lifespan; the server calls it."""
        scope["app"] = self
        await self.gateway(scope, receive, send)

    async def beyond_gateway(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle what the gateway has admitted and does not answer directly."""
        await super().__call__(scope, receive, send)


def count_connections(engine: Engine, metrics: Metrics) -> None:
    """Let the metrics show how many of an engine's connections are in use."""
    event.listen(engine, "checkout", lambda *_: metrics.connections.inc())
    event.listen(engine, "checkin", lambda *_: metrics.connections.dec())


def open_resources(settings: Settings, database_url: str, *, observe_store: Observer) -> Resources:
    """Open what all domains share; connections are made when they are first used."""
    engine = _engine_of(database_url, settings)
    replica = settings.read_database_url and _engine_of(settings.read_database_url, settings)
    return Resources(
        settings=settings,
        database_url=database_url,
        engine=engine,
        sessions=sessionmaker(engine, expire_on_commit=False),
        store=ObjectStore.of(settings, observe=observe_store),
        replica=sessionmaker(replica, expire_on_commit=False) if replica else None,
    )


def _engine_of(url: str, settings: Settings) -> Engine:
    """Make an engine for handlers; the prediction log and the registry have connections too."""
    return make_engine(
        url,
        pool_size=settings.database_connections,
        statement_seconds=settings.statement_seconds,
        idle_seconds=settings.statement_seconds,
    )


@contextmanager
def draining_at_sigterm(state: Health) -> Iterator[None]:
    """Stop being ready at SIGTERM, and then let the server's own handler continue.

    This works only in the main thread; elsewhere (a test's server) Python does not handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    server = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(state.draining.set)
        if callable(server):
            server(number, frame)

    signal.signal(signal.SIGTERM, drain)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, server)
