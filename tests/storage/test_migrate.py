from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from sqlalchemy import text

from app.storage.engine import make_engine
from app.storage.migrate import (
    NewerDatabase,
    current_revision,
    head_revision,
    migration_config,
    upgrade,
)
from tests.database import create_database, drop_database, url_of


def test_models_and_migrations_agree(fresh_database: str) -> None:
    engine = make_engine(fresh_database)
    with engine.connect() as connection:
        command.check(migration_config(connection))
    engine.dispose()


def test_processes_that_migrate_at_once_wait_for_each_other(cluster: tuple[str, str]) -> None:
    server_url, template = cluster
    name = f"{template}_race"
    create_database(server_url, name)
    engines = [make_engine(url_of(server_url, name)) for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(upgrade, engines))
        with engines[0].connect() as connection:
            assert current_revision(connection) == head_revision()
    finally:
        for engine in engines:
            engine.dispose()
        drop_database(server_url, name)


def test_a_newer_database_is_explained_and_left_alone(fresh_database: str) -> None:
    engine = make_engine(fresh_database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match=r"9999.*newer"):
        upgrade(engine)
    with engine.connect() as connection:
        assert current_revision(connection) == "9999"
    engine.dispose()
