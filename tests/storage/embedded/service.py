"""A stand-in for `stepahead serve`: starts the PostgreSQL of a data directory, and holds it.

Prints the outcome in one line, then writes rows until it is killed (`write`) or its standard
input closes (`hold`).
"""

import sys
from pathlib import Path

import psycopg

from app.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from app.storage.engine import conninfo


def main(data_dir: str, slots: str, mode: str) -> None:
    embedded = EmbeddedPostgres(Path(data_dir), slots=Path(slots), address="127.0.0.1:8000")
    try:
        url = embedded.start()
    except EmbeddedPostgresError as error:
        sys.stdout.write(f"{type(error).__name__} {error}\n")
        return
    sys.stdout.write(f"started {embedded.pid}\n")
    sys.stdout.flush()
    if mode == "write":
        with psycopg.connect(conninfo(url), autocommit=True) as connection:
            connection.execute("CREATE TABLE acknowledged (number bigint)")
            number = 0
            while True:
                number += 1
                connection.execute("INSERT INTO acknowledged VALUES (%s)", (number,))
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()
    sys.stdin.read()
    embedded.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
