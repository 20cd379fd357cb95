"""Test PgBouncer in transaction mode, where transactions share sessions."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import OperationalError
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url, select

from app.config import Settings
from app.predictions.logged.partitions import maintain_partitions
from app.storage.engine import connect, conninfo, make_engine
from app.storage.migrate import upgrade
from app.storage.tables import Prediction
from tests.artifacts import persistence_artifact
from tests.database import create_database, drop_database, url_of
from tests.service import eventually, running_service

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")

INI = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 4
logfile = {folder}/log
pidfile = {folder}/pid
"""


@pytest.fixture
def unprepared_database(cluster: tuple[str, str]) -> Iterator[str]:
    server_url, template = cluster
    name = f"{template}_pooled"
    create_database(server_url, name)
    yield url_of(server_url, name)
    drop_database(server_url, name)


@contextmanager
def pooled(url: str, folder: Path, port: str) -> Iterator[str]:
    """Yield the same database behind PgBouncer, with a pool smaller than an api's own."""
    assert PGBOUNCER is not None
    where = conninfo_to_dict(conninfo(url))
    host = Path(str(where["host"]))
    (folder / "users").write_text(f'"{where["user"]}" ""\n')
    (folder / "ini").write_text(
        INI.format(host=host, port=where.get("port", 5432), listen_port=port, folder=folder)
    )
    folder.chmod(0o777)
    # PgBouncer refuses to run as root, so it runs as a user whom the server's `peer` rule admits.
    owner = host.stat().st_uid or None if os.geteuid() == 0 else None
    process = subprocess.Popen([PGBOUNCER, str(folder / "ini")], user=owner)
    try:
        through = make_url(url).set(host="127.0.0.1", port=int(port), query={})
        yield through.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(30)


def test_everything_works_behind_a_pool_of_transactions(
    unprepared_database: str, place: Path, tmp_path: Path, free_port: str
) -> None:
    with pooled(unprepared_database, place, free_port) as url:
        eventually(lambda: listens(url))
        engine = make_engine(url)
        upgrade(engine)
        for _ in range(3):  # a session's lock would be left behind in the pool
            maintain_partitions(engine, Settings(log_retention_days=30))
        with running_service(url, tmp_path) as service:
            eventually(lambda: service.client.get("/readyz").is_success)
            service.register("prices", persistence_artifact())
            bodies = [{"model": "prices", "history": [1.0, 2.0, float(n)]} for n in range(100)]
            with ThreadPoolExecutor(8) as callers:
                answers = list(callers.map(lambda body: service.predict(**body), bodies))
            assert {answer.status_code for answer in answers} == {200}
            with service.sessions.begin() as session:
                logged = {str(one) for one in session.scalars(select(Prediction.id))}
            assert logged == {answer.json()["id"] for answer in answers}
        engine.dispose()


def test_statements_are_not_prepared_there(
    unprepared_database: str, place: Path, free_port: str
) -> None:
    with pooled(unprepared_database, place, free_port) as url:
        eventually(lambda: listens(url))
        with connect(url) as connection:
            assert connection.prepare_threshold is None
    with connect(unprepared_database) as connection:
        assert connection.prepare_threshold is not None


def listens(url: str) -> bool:
    """Return whether PgBouncer is listening."""
    try:
        connect(url).close()
    except OperationalError:
        return False
    return True
