"""Fill a log and a registry like those of a long-running service; PostgreSQL needs a minute."""

from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql

from app.config import Settings
from app.predictions.logged.partitions import bounds, maintain_partitions, partition_name
from app.storage.engine import conninfo, database_url, make_engine
from app.storage.migrate import upgrade

MODELS = 100  # in the log
REQUEST = b'{"model": "model", "history": [778.81, 788.36, 786.08]}'
RESPONSE = (
    b'{"id": "0197", "model": "model", "version": 1, "kind": "series", "predictions": '
    b'[{"step": 1, "value": 787.1, "timestamp": null, "intervals": null}], "skill": -0.79, '
    b'"warnings": []}'
)
REQUEST_ID = "request-{:07}"

# Ids like the app's: milliseconds first, the rest arbitrary.
FILL = """
INSERT INTO {}
  (id, created_at, request_id, model, version, alias, kind, series, request, response)
SELECT
  (lpad(to_hex(ms), 12, '0') || '7' || lpad(to_hex(n %% 4096), 3, '0') || '8'
   || substr(md5(n::text), 1, 15))::uuid,
  to_timestamp(ms / 1000.0), 'request-' || lpad(n::text, 7, '0'), 'model-' || n %% %s, 1,
  'champion', 'series', NULL, %s::json, %s::json
FROM generate_series(1, %s) AS row (n),
  LATERAL (SELECT %s::bigint + n::bigint * %s / (%s + 1)) AS moment (ms)
"""


def make_database(server_url: str, name: str) -> str:
    """Create a migrated database with the log's partitions, and return its URL."""
    with psycopg.connect(conninfo(server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = database_url(server_url).set(database=name).render_as_string(hide_password=False)
    engine = make_engine(url)
    upgrade(engine)
    maintain_partitions(engine, Settings())
    engine.dispose()
    return url


def fill_today(connection: psycopg.Connection, rows: int) -> None:
    """Generate predictions since midnight, by inserting into the partitioned table."""
    now = datetime.now(UTC)
    today = sql.Identifier(partition_name(now.date()))
    _fill(connection, sql.Identifier("predictions"), start_of(now.date()), now, rows)
    # Now, so that autovacuum does not do it during the measurement.
    connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(today))


def fill_day(connection: psycopg.Connection, day: date, rows: int) -> None:
    """Generate predictions of a past day, in a partition that is attached when it is full.

    It is unlogged, because nothing here must survive a crash and reading it is the same.
    """
    table = sql.Identifier(partition_name(day))
    # It would have been vacuumed on that day, not during the measurement.
    create = "CREATE UNLOGGED TABLE {} (LIKE predictions) WITH (autovacuum_enabled = off)"
    connection.execute(sql.SQL(create).format(table))
    _fill(connection, table, start_of(day), start_of(day + timedelta(days=1)), rows)
    connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (id)").format(table))
    connection.execute(sql.SQL("CREATE INDEX ON {} (model, id)").format(table))
    low, high = bounds(day)
    attach = "ALTER TABLE predictions ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})"
    connection.execute(sql.SQL(attach).format(table, sql.Literal(low), sql.Literal(high)))


def start_of(day: date) -> datetime:
    """Return the midnight at the start of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _fill(
    connection: psycopg.Connection, table: sql.Identifier, start: datetime, end: datetime, rows: int
) -> None:
    first, last = (int(moment.timestamp() * 1000) for moment in (start, end))
    values = [MODELS, REQUEST.decode(), RESPONSE.decode(), rows, first, last - first, rows]
    connection.execute(sql.SQL(FILL).format(table), values)
