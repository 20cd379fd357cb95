"""Settings that cannot be used, as they are told to who set them."""

import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.config import Settings
from app.storage.engine import make_engine
from app.terminal.rendering.problems import CommandError
from app.terminal.service.serve import run_migrate
from app.terminal.service.settings import WRONG_SETTINGS, plain_errors
from tests.database import create_database, drop_database, url_of


@pytest.fixture
def empty_database(cluster: tuple[str, str]) -> Iterator[str]:
    server_url, _ = cluster
    name = f"stepahead_test_{secrets.token_hex(6)}"
    create_database(server_url, name)
    yield url_of(server_url, name)
    drop_database(server_url, name)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "STEPAHEAD_STORE_URL must be a URL such as file:///"),
        ("file:///dev/null/store", "STEPAHEAD_STORE_URL=file:///dev/null/store cannot be created"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_before_anything_starts(url: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as told, plain_errors(Settings(store_url=url)):
        pytest.fail("it started")
    assert told.value.exit_code == WRONG_SETTINGS


def test_a_user_without_rights_is_told_what_to_grant(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(empty_database)
    url = engine.url
    with engine.begin() as connection:  # as PostgreSQL has it for all but the owner
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM pg_database_owner, public"))
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM current_user"))
        if connection.execute(text("SHOW is_superuser")).scalar_one() == "on":  # may do all things
            url = url.update_query_dict({"options": "-c role=pg_monitor"})
    engine.dispose()
    monkeypatch.setenv("STEPAHEAD_DATABASE_URL", url.render_as_string(hide_password=False))
    with pytest.raises(
        CommandError, match="permission denied for schema public; make its user the owner"
    ):
        run_migrate()


def test_a_database_that_was_not_prepared_is_told(empty_database: str) -> None:
    engine = make_engine(empty_database)
    with (
        pytest.raises(CommandError, match="run `stepahead migrate` first"),
        plain_errors(Settings(database_url=empty_database)),
        engine.connect() as connection,
    ):
        connection.execute(text("SELECT id FROM jobs"))
    engine.dispose()
