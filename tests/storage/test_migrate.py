from concurrent.futures import ThreadPoolExecutor

from alembic import command

from app.storage.engine import make_engine
from app.storage.migrate import head_revision, migration_config, upgrade
from app.storage.schema_version import current_revision
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
