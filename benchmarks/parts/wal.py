"""PostgreSQL's WAL files as a service that has been in use for a while has them."""

import psycopg
from psycopg.conninfo import make_conninfo

from app.storage.embedded import EmbeddedPostgres
from app.storage.embedded.cluster import SUPERUSER
from app.storage.engine import conninfo

FILES = 24  # of 16 MB: more than any benchmark writes


def make_wal_files(postgres: EmbeddedPostgres) -> None:
    """Have files to write WAL into again.

    To make one holds up every commit while 16 MB are written and synced: 12 ms on a quiet disk, 60
    to 100 on a busy one. A fresh database does it for each of its first files, 4,500 predictions a
    second every 4 seconds; one in use writes into its old ones.
    """
    where = make_conninfo(conninfo(postgres.url), user=SUPERUSER)
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("CREATE TABLE filling (number int)")
        for _ in range(FILES):
            connection.execute("INSERT INTO filling VALUES (1)")  # an empty file is not left
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("DROP TABLE filling")
        connection.execute("CHECKPOINT")  # from here on they are to be written again
