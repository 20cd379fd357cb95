"""Migrations, applied from code: `serve`, `stepahead migrate` and the tests run the same ones."""

import re

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from app.config import shipped_dir
from app.process.observability import logger
from app.storage import monitoring_tables

log = logger(__name__)

# One number for all of Stepahead, so that processes starting together migrate one after another.
MIGRATION_LOCK = 0x57E9_AEAD

# Made at run time (daily partitions and their indexes) or by the queue's own schema.
NOT_COMPARED = re.compile(r"predictions_\d{8}|procrastinate_")


class NewerDatabase(RuntimeError):
    """The database was migrated by a newer Stepahead than this one."""


def migration_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; `migrations/env.py` works on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(shipped_dir("migrations")))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine) -> None:
    """Bring the database to this version's schema; safe when several processes do it at once.

    Raises:
        NewerDatabase: the database has migrations that this version does not know.
    """
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.commit()
        try:
            before = current_revision(connection)
            _refuse_newer(before)
            command.upgrade(migration_config(connection), "head")
            connection.commit()
            if before != head_revision():
                log.info("database migrated", before=before, after=head_revision())
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
            connection.commit()


def current_revision(connection: Connection) -> str | None:
    """The migration that the database stands at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """The newest migration that this version knows."""
    return ScriptDirectory.from_config(migration_config()).get_current_head()


def _refuse_newer(current: str | None) -> None:
    scripts = ScriptDirectory.from_config(migration_config())
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise NewerDatabase(
            f"the database stands at migration {current}, which this version of Stepahead does not "
            "know: a newer one has used it. Run that version or a newer one; nothing was changed"
        )


def is_compared(name: str | None) -> bool:
    """Whether a table or index belongs to the schema that Alembic compares."""
    return name is None or NOT_COMPARED.match(name) is None


# Of all tables: that module brings the others.
metadata = monitoring_tables.Schedule.metadata
