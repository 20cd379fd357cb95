"""PostgreSQL says that its disk is full: callers learn it, and nothing else has to be done."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from app.predictions.database_room import FULL
from tests.service import Service, eventually

BODY = {"model": "google-stock", "history": [778.81, 788.36, 786.08]}
NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END$$
"""


@contextmanager
def without_room(service: Service, table: str) -> Iterator[None]:
    """Nothing can be added to a table until the block ends."""
    with service.engine.begin() as connection:
        connection.execute(text(NO_ROOM))
        connection.execute(
            text(
                f"CREATE TRIGGER no_room BEFORE INSERT ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION no_room()"
            )
        )
    try:
        yield
    finally:
        with service.engine.begin() as connection:
            connection.execute(text("DROP FUNCTION no_room CASCADE"))


def not_ready(service: Service) -> str:
    answer = service.client.get("/readyz")
    return "" if answer.is_success else str(answer.json()["detail"])


def test_a_prediction_that_finds_no_room_says_so_and_readyz_until_there_is(
    service: Service,
) -> None:
    with without_room(service, "predictions"):
        refused = service.predict(**BODY)
        assert refused.status_code == 503
        assert FULL in refused.json()["detail"]
        assert refused.headers["Retry-After"] == "5"
        eventually(lambda: service.predict(**BODY) and FULL in not_ready(service))
    eventually(lambda: not not_ready(service))  # found out by a probe, without a prediction
    assert service.predict(**BODY).status_code == 200


def test_an_upload_that_finds_no_room_in_the_database_is_a_507(service: Service) -> None:
    with without_room(service, "datasets"):
        refused = service.client.post("/datasets", files={"file": ("a.csv", "value\n1\n2\n3\n")})
        assert refused.status_code == 507
        assert FULL in refused.json()["detail"]
    again = service.client.post("/datasets", files={"file": ("a.csv", "value\n1\n2\n3\n")})
    assert again.is_success
