"""How this process reaches PostgreSQL."""

from psycopg.conninfo import make_conninfo
from pydantic_core import from_json
from sqlalchemy import URL, Engine, create_engine, make_url

DRIVER = "postgresql+psycopg"
SPELLINGS = frozenset({"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"})


def database_url(text: str) -> URL:
    """The URL that SQLAlchemy takes, from any usual spelling.

    Raises:
        ValueError: it does not name a PostgreSQL database.
    """
    url = make_url(text)
    if url.drivername not in SPELLINGS:
        raise ValueError(
            f"STEPAHEAD_DATABASE_URL must be a PostgreSQL URL, as in "
            f"postgresql://user:password@host:5432/name; got one of {url.drivername!r}"
        )
    return url.set(drivername=DRIVER)


def conninfo(text: str) -> str:
    """The same place as a libpq connection string, for psycopg and Procrastinate."""
    url = database_url(text)
    options = {
        key: value if isinstance(value, str) else ",".join(value)
        for key, value in url.query.items()
    }
    named = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    return make_conninfo(
        "", **options, **{key: value for key, value in named.items() if value is not None}
    )


def make_engine(text: str, *, pool_size: int = 5) -> Engine:
    """A pooled engine; connections are tried before use, so that a database restart heals."""
    return create_engine(
        database_url(text),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=10,
        json_deserializer=from_json,  # six times as quick as the standard library
        connect_args={"connect_timeout": 5, "application_name": "stepahead"},
    )
