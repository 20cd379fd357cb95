"""Upgrade databases of released versions, and use them."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import select

from app.backup.check import check_backup
from app.backup.write import write_backup
from app.config import PROJECT_DIR
from app.predictions.logged.partitions import maintain_partitions
from app.storage.engine import conninfo, make_engine
from app.storage.job_status import JobStatus
from app.storage.migrate import migration_config, upgrade
from app.storage.tables import Prediction
from tests.database import own_database
from tests.service import Service, running_service

SHIPPED = PROJECT_DIR / "models" / "google-stock" / "1"
RELEASES = sorted(Path(__file__).parent.glob("*.sql.gz"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.removesuffix(".sql.gz"))
def old(request: pytest.FixtureRequest, cluster: tuple[str, str]) -> Iterator[str]:
    """Yield the URL of a database as a release left it."""
    statements = gzip.decompress(request.param.read_bytes())
    with own_database((cluster[0], "template1")) as database_url:
        with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
            connection.execute(statements)
        yield database_url


@pytest.fixture
def upgraded(old: str, tmp_path: Path) -> Iterator[Service]:
    """Yield this version on the upgraded database, with the files of one model in its store."""
    engine = make_engine(old)
    upgrade(engine)
    with running_service(old, tmp_path) as service:
        maintain_partitions(engine, service.settings)
        engine.dispose()
        for file in SHIPPED.iterdir():
            service.store.put_file(file)
        yield service


def test_an_upgraded_database_has_todays_schema(old: str) -> None:
    engine = make_engine(old)
    upgrade(engine)
    with engine.connect() as connection:
        command.check(migration_config(connection))
    engine.dispose()


def test_the_champion_gives_the_answer_that_it_gave(upgraded: Service) -> None:
    with upgraded.sessions() as session:
        logged = session.scalars(
            select(Prediction).where(Prediction.model == "google-stock").limit(1)
        ).one()
    answer = upgraded.predict(**logged.request)
    assert answer.status_code == 200, answer.text
    was, is_now = logged.response["predictions"], answer.json()["predictions"]
    assert is_now[0]["value"] == pytest.approx(was[0]["value"], rel=1e-9)


def test_what_was_kept_is_still_shown(upgraded: Service) -> None:
    get = upgraded.client.get
    assert {model["name"] for model in get("/models").json()["items"]} >= {"google-stock", "small"}
    (job,) = get("/jobs", params={"model": "small"}).json()["items"]
    assert job["status"] == JobStatus.SUCCEEDED
    assert get("/models/small/versions/1").is_success
    assert get("/models/google-stock/schedule").json()["cron"] == "0 3 * * 1"
    assert get("/models/google-stock/monitor").is_success
    assert len(get("/predictions").json()["items"]) >= 4


def test_an_upgraded_installation_can_be_backed_up(upgraded: Service, tmp_path: Path) -> None:
    contents = write_backup(upgraded.database_url, upgraded.store, tmp_path / "backup.tar")
    assert contents.missing  # the fixture has no object store, so missing objects are named
    with (tmp_path / "backup.tar").open("rb") as file:
        assert check_backup(file).rows["jobs"] == 1


def test_every_release_is_kept() -> None:
    assert [path.name for path in RELEASES][:1] == ["0.1.0.sql.gz"]
