"""Apply migrations from code; `serve`, `stepahead migrate` and the tests run the same ones."""

import re

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from app.config import shipped_dir
from app.process.observability import get_logger
from app.storage import access_tables, monitoring_tables
from app.storage.schema_version import current_revision, refuse_newer

logger = get_logger(__name__)

# One lock id for all of Stepahead, so that processes that start together migrate one at a time.
MIGRATION_LOCK = 0x57E9_AEAD

# Created at run time (daily partitions and their indexes) or by the queue's own schema.
NOT_COMPARED = re.compile(r"predictions_\d{8}|procrastinate_")


def migration_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration; `migrations/env.py` works on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(shipped_dir("migrations")))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, to: str = "head") -> None:
    """Bring the database to this version's schema; safe if several processes do it at once.

    Args:
        engine: of the database.
        to: the migration to stop at; only a restore stops before the newest.

    Raises:
        NewerDatabase: the database has migrations that this version does not know.
    """
    # A transaction on a second connection holds the lock, not a session: a pooler may run each
    # transaction of a session on a different server connection.
    with engine.begin() as guard, engine.connect() as connection:
        guard.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        before = current_revision(connection)
        refuse_newer(connection)
        command.upgrade(migration_config(connection), to)
        connection.commit()
        after = current_revision(connection)
        if before != after:
            logger.info("database migrated", before=before, after=after)


def head_revision() -> str | None:
    """Return the newest migration that this version knows."""
    return ScriptDirectory.from_config(migration_config()).get_current_head()


def is_compared(name: str | None) -> bool:
    """Return whether a table or index belongs to the schema that Alembic compares."""
    return name is None or NOT_COMPARED.match(name) is None


# The schema is complete once both modules have been imported.
_TABLES = (access_tables, monitoring_tables)
metadata = monitoring_tables.Schedule.metadata
