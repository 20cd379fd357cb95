"""Test how invalid settings are reported to the user."""

import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.config import Settings
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from app.terminal.rendering.problems import CommandError
from app.terminal.service.serve import run_migrate
from app.terminal.service.settings import WRONG_SETTINGS, plain_errors
from tests.database import create_database, drop_database, url_of
from tests.fake_s3 import Bucket, environment_of, running_s3


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
def test_a_store_that_cannot_be_used_is_reported_before_anything_starts(
    url: str, said: str
) -> None:
    with pytest.raises(CommandError, match=said) as told, plain_errors(Settings(store_url=url)):
        pytest.fail("it started")
    assert told.value.exit_code == WRONG_SETTINGS


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with running_s3() as (url, held):
        for name, value in environment_of(url).items():
            monkeypatch.setenv(name, value)
        yield held


def test_a_missing_bucket_is_reported_before_anything_starts(bucket: Bucket) -> None:
    bucket.status, bucket.code = 404, "NoSuchBucket"

    with (
        pytest.raises(CommandError) as told,
        plain_errors(Settings(store_url="s3://bucket/prefix")),
    ):
        pytest.fail("it started")

    assert told.value.message == (
        "the object store at s3://bucket/prefix cannot be used: there is no bucket or container of "
        "that name"
    )
    assert told.value.exit_code == WRONG_SETTINGS


def test_an_endpoint_of_plain_http_is_reported_before_anything_starts(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "false")

    with (
        pytest.raises(CommandError, match="AWS_ALLOW_HTTP=true") as told,
        plain_errors(Settings(store_url="s3://bucket/prefix")),
    ):
        pytest.fail("it started")

    assert "\n" not in told.value.message
    assert not bucket.objects


def test_a_store_that_does_not_answer_now_keeps_nothing_from_starting(bucket: Bucket) -> None:
    bucket.status = 503
    started = False

    with plain_errors(Settings(store_url="s3://bucket/prefix")):
        started = True

    assert started


def test_a_store_that_fails_a_command_is_reported_without_a_traceback(bucket: Bucket) -> None:
    settings = Settings(store_url="s3://bucket/prefix")
    store = ObjectStore.of(settings)
    bucket.status = 500  # it does not prevent a start

    with (
        pytest.raises(CommandError, match="cannot be used: it answers with an error"),
        plain_errors(settings),
    ):
        store.put_bytes(b"hello")


def test_a_user_without_rights_is_told_what_to_grant(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(empty_database)
    url = engine.url
    with engine.begin() as connection:  # as PostgreSQL reports it to all but the owner
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM pg_database_owner, public"))
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM current_user"))
        # root may do everything
        if connection.execute(text("SHOW is_superuser")).scalar_one() == "on":
            url = url.update_query_dict({"options": "-c role=pg_monitor"})
    engine.dispose()
    monkeypatch.setenv("STEPAHEAD_DATABASE_URL", url.render_as_string(hide_password=False))
    with pytest.raises(
        CommandError, match="permission denied for schema public; make its user the owner"
    ):
        run_migrate()


def test_a_database_that_was_not_prepared_is_reported(empty_database: str) -> None:
    engine = make_engine(empty_database)
    with (
        pytest.raises(CommandError, match="run `stepahead migrate` first"),
        plain_errors(Settings(database_url=empty_database)),
        engine.connect() as connection,
    ):
        connection.execute(text("SELECT id FROM jobs"))
    engine.dispose()
