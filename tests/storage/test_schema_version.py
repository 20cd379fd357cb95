"""Test a database that a newer Stepahead has migrated."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.storage.engine import make_engine
from app.storage.migrate import migration_config, upgrade
from app.storage.schema_version import NewerDatabase, current_revision, is_known
from tests.service import running_service
from tests.serving import Served

UNKNOWN = "9999"


@pytest.fixture
def newer_database(fresh_database: str) -> str:
    engine = make_engine(fresh_database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": UNKNOWN})
    engine.dispose()
    return fresh_database


def test_the_migrations_that_are_known_are_those_of_alembic() -> None:
    scripts = ScriptDirectory.from_config(migration_config()).walk_revisions()
    revisions = [script.revision for script in scripts]
    assert revisions
    assert all(is_known(revision) for revision in revisions)
    assert not is_known(UNKNOWN)


def test_it_is_not_migrated(newer_database: str) -> None:
    engine = make_engine(newer_database)
    with pytest.raises(NewerDatabase, match=r"9999.*newer"):
        upgrade(engine)
    with engine.connect() as connection:
        assert current_revision(connection) == UNKNOWN
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "processes"), [("api", "1"), ("api", "2"), ("worker", "1"), ("migrate", "1")]
)
def test_no_process_is_started_on_it(
    newer_database: str, place: Path, command: str, processes: str
) -> None:
    environment = {"STEPAHEAD_DATABASE_URL": newer_database, "STEPAHEAD_API_PROCESSES": processes}
    service = Served(place / "data", arguments=(command,), environment=environment)
    assert service.process.wait(60) == 1
    service.kill()
    assert f"Error: the database is at migration {UNKNOWN}" in service.output
    assert "Traceback" not in service.output


def test_an_api_that_meets_it_later_gets_no_requests(newer_database: str, tmp_path: Path) -> None:
    """It behaves like an api that was started while the database was away."""
    with running_service(newer_database, tmp_path) as service:
        answer = service.client.get("/readyz")
        assert answer.status_code == 503
        assert f"migration {UNKNOWN}" in answer.json()["detail"]
        refused = service.predict(model="prices", history=[1.0, 2.0])
        assert refused.status_code == 503
