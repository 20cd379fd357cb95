"""Read a database's migration, and check that this version of Stepahead knows it.

This works without Alembic, so that an api process can use it.
"""

from sqlalchemy import Connection, text

from app.config import shipped_dir
from app.storage.engine import make_engine


class NewerDatabase(RuntimeError):
    """The database was migrated by a newer Stepahead than this one."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is at migration {revision}, which this version of Stepahead does "
            "not know: a newer one has used it. Run that version or a newer one; nothing was "
            "changed"
        )


def current_revision(connection: Connection) -> str | None:
    """Return the database's migration, or None for an empty database."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_known(revision: str) -> bool:
    """Return whether this version knows that migration."""
    files = (shipped_dir("migrations") / "versions").glob("*.py")
    return revision in {file.stem.partition("_")[0] for file in files}


def refuse_newer(connection: Connection) -> None:
    """Check that no newer Stepahead has migrated the database.

    Raises:
        NewerDatabase: one has.
    """
    revision = current_revision(connection)
    if revision is not None and not is_known(revision):
        raise NewerDatabase(revision)


def refuse_newer_at_start(database_url: str) -> None:
    """Perform the same check before a process starts.

    Raises:
        NewerDatabase: a newer Stepahead has migrated the database.
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    engine = make_engine(database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            refuse_newer(connection)
    finally:
        engine.dispose()
