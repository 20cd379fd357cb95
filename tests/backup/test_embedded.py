import re
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from app.backup.upgrade import upgrade_database
from app.config import Settings
from app.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError, WrongMajorVersion, reached
from app.storage.engine import make_engine
from app.storage.migrate import upgrade
from app.storage.object_store import ObjectStore
from app.storage.tables import Alias
from tests.artifacts import persistence_artifact
from tests.service import register_artifact

pytestmark = pytest.mark.linux


def ask(url: str, question: str) -> object:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return connection.scalar(text(question))
    finally:
        engine.dispose()


def test_a_running_server_is_used_and_left_running(place: Path) -> None:
    with EmbeddedPostgres(place / "data") as running:
        with reached(place / "data") as url:
            assert url == running.url
            assert ask(url, "SELECT 1") == 1
        assert running.alive()


def test_where_none_runs_one_is_started_and_stopped(place: Path) -> None:
    with reached(place / "data") as url:
        assert ask(url, "SELECT 1") == 1
    with EmbeddedPostgres(place / "data"):  # the directory is no longer locked
        pass


@pytest.mark.slow
def test_a_cluster_of_an_older_postgresql_is_moved_to_ours(place: Path, other_major: Path) -> None:
    settings = Settings(data_dir=place / "data")
    with EmbeddedPostgres(place / "data", bin_dir=other_major) as old:
        engine = make_engine(old.url)
        upgrade(engine)
        store = ObjectStore.open(settings.resolved_store_url)
        register_artifact(sessionmaker(engine), store, "prices", persistence_artifact())
        engine.dispose()
    with pytest.raises(WrongMajorVersion, match="upgrade-database --programs"):
        EmbeddedPostgres(place / "data").start()
    kept = upgrade_database(settings, other_major)
    assert kept.backup.is_file()
    assert (kept.cluster / "PG_VERSION").read_text().strip() == "16"
    with EmbeddedPostgres(place / "data") as new:
        assert re.match("PostgreSQL 18", str(ask(new.url, "SELECT version()")))
        engine = make_engine(new.url)
        with Session(engine) as session:
            assert session.get_one(Alias, ("prices", "champion")).version == 1
        engine.dispose()


def test_programs_of_the_wrong_release_change_nothing(place: Path, other_major: Path) -> None:
    with EmbeddedPostgres(place / "data", bin_dir=other_major):
        pass
    with pytest.raises(EmbeddedPostgresError):
        upgrade_database(Settings(data_dir=place / "data"), place / "nowhere")
    with EmbeddedPostgres(place / "data", bin_dir=other_major):
        pass
