"""What `stepahead serve` does, from top to bottom."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from app.config import Settings
from app.jobs.trainer import why_no_training
from app.predictions.logged.partitions import maintain_partitions
from app.process.lifeline import Lifeline
from app.process.listening import listen, location_of
from app.process.notice_board import NoticeBoard
from app.process.observability import get_logger
from app.process.programs import child_environment
from app.process.running import (
    Absent,
    Tended,
    running_apis,
    running_workers,
    tend_until_ready,
    tend_until_stopped,
)
from app.process.stopping import Stopping
from app.registry.shipped import import_shipped
from app.storage.embedded.supervised import KeptPostgres
from app.storage.engine import make_engine
from app.storage.migrate import upgrade
from app.storage.object_store import ObjectStore

logger = get_logger("supervisor")


@dataclass(frozen=True, kw_only=True)
class Served:
    """What to announce when everything is up."""

    url: str
    data_dir: Path
    database_dir: Path | None  # of the embedded PostgreSQL; None if it is not used


def serve(settings: Settings, *, announce: Callable[[Served], None]) -> None:
    """Run the whole service on this machine until it is asked to stop.

    What is entered first ends last: the api drains, the worker returns its job to the queue, and
    only then does PostgreSQL stop.

    Args:
        settings: of the service.
        announce: called once, when the api answers.

    Raises:
        CannotListen: the port is not free; nothing was started.
        EmbeddedPostgresError: the database cannot start.
        NewerDatabase: a newer Stepahead has used the database.
        GivenUp: api or database keep dying, and the service has never worked.
    """
    with Stopping() as stopping, ExitStack() as parts:
        listener = parts.enter_context(listen(settings.host, settings.port))
        tended: list[Tended] = []

        database_url, database_dir = settings.database_url, None
        if database_url is None:
            logger.info("starting PostgreSQL", data_dir=str(settings.resolved_data_dir))
            postgres = KeptPostgres(settings.resolved_data_dir, address=location_of(listener))
            parts.callback(postgres.stop)
            database_url, database_dir = postgres.start(), postgres.home
            tended.append(postgres)
        prepare(settings, database_url)

        lifeline = parts.enter_context(Lifeline())
        board = parts.enter_context(NoticeBoard())
        environment = child_environment(settings, database_url)
        missing = why_no_training(settings) if settings.workers else None
        if missing is None:
            tended += parts.enter_context(
                running_workers(settings, stopping, lifeline, environment)
            )
        else:
            tended.append(Absent(f"no worker runs: {missing}"))
        tended += parts.enter_context(
            running_apis(settings, stopping, lifeline, environment, listener=listener, board=board)
        )
        served = Served(
            url=f"http://{location_of(listener)}",
            data_dir=settings.resolved_data_dir,
            database_dir=database_dir,
        )
        tend_until_ready(tended, stopping, listener, board)
        if not stopping.requested:
            announce(served)
        tend_until_stopped(tended, stopping, board)
        logger.info("stopping: the api finishes its answers, then the worker and the rest stop")


def prepare(settings: Settings, database_url: str) -> None:
    """Migrate, make the log's next partitions, import the shipped models; safe to repeat.

    Raises:
        NewerDatabase: a newer Stepahead has used the database.
    """
    engine = make_engine(database_url, statement_seconds=None)
    try:
        upgrade(engine)
        store = ObjectStore.of(settings)
        maintain_partitions(engine, settings)
        with Session(engine) as session, session.begin():
            import_shipped(session, store)
    finally:
        engine.dispose()
