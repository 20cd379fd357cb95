"""Keep the database of a release, so that the tests of every later release can upgrade it.

    python -m tests.upgrade.keep 0.2.0 DATABASE_URL

DATABASE_URL names a database that the release has used a little: some predictions, an upload, a
training, a schedule. `pg_dump` of its major version or a later one has to be on the PATH.
"""

import gzip
import subprocess
import sys
from pathlib import Path

from app.storage.engine import conninfo

FOLDER = Path(__file__).parent
# Commands that only psql understands, and settings that older servers do not know.
LEFT_OUT = ("\\", "SET transaction_timeout", "--")


def dumped(database_url: str) -> str:
    """Return a database as SQL statements that any supported PostgreSQL runs."""
    command = ["pg_dump", "--no-owner", "--no-privileges", "--rows-per-insert=50"]
    run = subprocess.run(
        [*command, "--dbname", conninfo(database_url)], check=True, capture_output=True, text=True
    )
    lines = run.stdout.splitlines()
    return "\n".join(line for line in lines if line and not line.startswith(LEFT_OUT)) + "\n"


def main(version: str, database_url: str) -> None:
    """Write the file of a release."""
    data = gzip.compress(dumped(database_url).encode(), compresslevel=9, mtime=0)
    (FOLDER / f"{version}.sql.gz").write_bytes(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
