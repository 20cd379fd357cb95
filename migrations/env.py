"""Run Alembic's migrations, on the connection of `app.storage.migrate` or from the command line."""

from alembic import context
from sqlalchemy import Connection

from app.config import get_settings
from app.storage.engine import make_engine
from app.storage.migrate import is_compared, metadata


def _include(_object: object, name: str | None, type_: str, *_: object) -> bool:
    return type_ not in {"table", "index"} or is_compared(name)


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=_include,
        compare_server_default=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _from_command_line() -> None:
    url = get_settings().database_url
    if url is None:
        raise SystemExit("set STEPAHEAD_DATABASE_URL to the database that alembic shall work on")
    with make_engine(url, statement_seconds=None).connect() as connection:
        _run(connection)


given: Connection | None = context.config.attributes.get("connection")
if given is None:
    _from_command_line()
else:
    _run(given)
