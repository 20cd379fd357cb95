"""Give PostgreSQL the WAL files that it has after some time of use."""

import psycopg
from psycopg.conninfo import make_conninfo

from app.storage.embedded import EmbeddedPostgres
from app.storage.embedded.cluster import SUPERUSER
from app.storage.engine import conninfo

FILES = 24  # of 16 MB each: more than any benchmark writes


def make_wal_files(postgres: EmbeddedPostgres) -> None:
    """Create WAL files that can be reused.

    Creating one blocks every commit while 16 MB are written and synced: 12 ms on a quiet disk, 60
    to 100 ms on a busy one. A fresh database does this for each of its first files, every 4 seconds
    at 4,500 predictions a second. A database in use recycles its old files.
    """
    where = make_conninfo(conninfo(postgres.url), user=SUPERUSER)
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("CREATE TABLE filling (number int)")
        for _ in range(FILES):
            connection.execute("INSERT INTO filling VALUES (1)")  # an empty file is not kept
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("DROP TABLE filling")
        connection.execute("CHECKPOINT")  # from here on files are recycled
