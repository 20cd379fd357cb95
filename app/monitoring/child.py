"""A worker's process that follows the log and the schedules, and gives way to predictions.

Started as `python -m app.monitoring.child --lifeline N`. Its settings are in the environment, and
it ends with the worker.
"""

import argparse
import threading
import time
from collections.abc import Callable

from sqlalchemy.orm import sessionmaker

from app.config import Settings
from app.monitoring.upkeep import Monitoring
from app.process.cpu_priority import GIVES_WAY, give_way
from app.process.lifeline import end_with
from app.process.observability import configure_logging
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from app.storage.resources import Resources

FOLLOW_SECONDS = 1.0
SCHEDULE_SECONDS = 15.0


def main() -> None:
    """Work until the worker ends. The next process repeats whatever is interrupted."""
    parser = argparse.ArgumentParser(description="Monitoring process of a Stepahead worker.")
    parser.add_argument("--lifeline", type=int, required=True, help="file descriptor of a pipe")
    end_with(parser.parse_args().lifeline, grace_seconds=0)
    give_way(GIVES_WAY)
    settings = Settings()
    configure_logging(settings)
    if settings.database_url is None:
        raise SystemExit("STEPAHEAD_DATABASE_URL is missing; the worker sets it")
    engine = make_engine(settings.database_url, pool_size=2)
    resources = Resources(
        settings=settings,
        database_url=settings.database_url,
        engine=engine,
        sessions=sessionmaker(engine, expire_on_commit=False),
        store=ObjectStore.open(settings.resolved_store_url),
    )
    monitoring = Monitoring(resources)
    retraining = threading.Thread(
        target=_every, args=(SCHEDULE_SECONDS, monitoring.retrain), daemon=True
    )
    retraining.start()
    _every(FOLLOW_SECONDS, monitoring.follow)


def _every(seconds: float, look: Callable[[], None]) -> None:
    while True:
        look()
        time.sleep(seconds)


if __name__ == "__main__":
    main()
