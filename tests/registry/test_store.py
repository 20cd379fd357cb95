from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.errors import Conflict, NotFound, Unprocessable
from app.registry.aliases import alias_history, list_aliases
from app.registry.store import (
    delete_version,
    find_model,
    get_version,
    has_manifest,
    list_models,
    list_versions,
    move_alias,
    referenced_objects,
    resolve,
    revision,
)
from app.storage.engine import make_engine
from app.storage.ids import new_id
from tests.registry.records import series_manifest, series_scorecard, text_manifest
from tests.registry.samples import registered, stored_files


@pytest.fixture
def sessions(fresh_database: str) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(fresh_database)
    yield sessionmaker(engine)
    engine.dispose()


def champion_of(session: Session, model: str = "prices") -> int:
    return resolve(session, model).number


def test_the_first_version_is_number_one_and_champion(session: Session) -> None:
    before = revision(session)
    files = stored_files()

    version = registered(session, files=files)

    assert (version.model, version.number) == ("prices", 1)
    assert version.decision["promoted"] is True
    assert version.files["model.onnx"] == {
        "sha256": files["model.onnx"].sha256,
        "size": len("model.onnx"),
    }
    assert resolve(session, "prices") is version
    assert revision(session) == before + 1
    (move,) = alias_history(session, "prices")
    assert (move.alias, move.from_version, move.to_version) == ("champion", None, 1)
    assert (move.reason, move.moved_by) == (version.decision["reason"], "training")


def test_a_better_version_takes_over_and_a_worse_one_waits(session: Session) -> None:
    registered(session, scorecard=series_scorecard(rmse=2))
    better = registered(session, scorecard=series_scorecard(rmse=1))
    worse = registered(session, scorecard=series_scorecard(rmse=3))

    assert champion_of(session) == 2
    assert better.decision["comparison"]["champion"] == {"version": 1, "error": 2}
    assert worse.decision["promoted"] is False
    assert [move.to_version for move in alias_history(session, "prices")] == [2, 1]
    assert [each.number for each in list_versions(session, "prices", limit=9)] == [3, 2, 1]


def test_a_job_registers_once(session: Session) -> None:
    job_id = new_id()

    first = registered(session, job_id=job_id)
    again = registered(session, job_id=job_id)

    assert again is first
    assert find_model(session, "prices").last_version == 1


def test_a_model_keeps_its_kind(session: Session) -> None:
    registered(session)

    with pytest.raises(Conflict, match="model for series"):
        registered(session, manifest=text_manifest())


def test_what_cannot_be_read_back_is_not_registered(session: Session) -> None:
    with pytest.raises(ValueError, match="final_loss"):
        registered(session, scorecard=series_scorecard(final_loss=float("nan")))
    with pytest.raises(ValueError, match=r"missing \['model.onnx'\]"):
        registered(
            session,
            files={name: each for name, each in stored_files().items() if name != "model.onnx"},
        )


def test_references_are_resolved(session: Session) -> None:
    registered(session)
    second = registered(session, scorecard=series_scorecard(rmse=9))
    move_alias(session, model="prices", alias="shadow", version=2, reason="trying it")

    assert resolve(session, "prices").number == 1
    assert resolve(session, "prices@champion").number == 1
    assert resolve(session, "prices@shadow") is second
    assert resolve(session, "prices@2") is second


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("unknown", "no model 'unknown'"),
        ("unknown@3", "no model 'unknown'"),
        ("prices@shadow", "no alias 'shadow'; it has champion"),
        ("prices@3", "no version 3"),
        ("prices@2", "was deleted on"),
    ],
)
def test_what_is_not_there_is_a_404_that_helps(
    session: Session, reference: str, words: str
) -> None:
    registered(session)
    registered(session)
    delete_version(session, "prices", 2)

    with pytest.raises(NotFound, match=words):
        resolve(session, reference)


def test_an_alias_moves_and_back_with_its_history(session: Session) -> None:
    registered(session)
    registered(session)
    before = revision(session)

    move_alias(session, model="prices", alias="champion", version=2, reason="looks better")
    move_alias(session, model="prices", alias="champion", version=1, reason="it was not")

    assert champion_of(session) == 1
    assert revision(session) == before + 2
    moves = alias_history(session, "prices", alias="champion")
    assert [(each.from_version, each.to_version, each.reason) for each in moves][:2] == [
        (2, 1, "it was not"),
        (1, 2, "looks better"),
    ]
    assert {each.moved_by for each in moves[:2]} == {"api"}


def test_moving_an_alias_to_where_it_is_changes_nothing(session: Session) -> None:
    registered(session)
    before = revision(session)

    move_alias(session, model="prices", alias="champion", version=1, reason="again")

    assert revision(session) == before
    assert len(alias_history(session, "prices")) == 1


def test_a_move_that_may_fail_requests_takes_force(session: Session) -> None:
    registered(session)
    registered(session, manifest=series_manifest(min_history=60))
    move = {"model": "prices", "alias": "champion", "version": 2, "reason": "longer memory"}

    with pytest.raises(Conflict, match=r"at least 60 past steps.*force") as caught:
        move_alias(session, **move)  # type: ignore[arg-type]
    assert len(caught.value.extra["hindrances"]) == 1
    assert champion_of(session) == 1

    move_alias(session, **move, force=True)  # type: ignore[arg-type]
    assert champion_of(session) == 2


def test_an_alias_points_only_at_what_is_there(session: Session) -> None:
    registered(session)
    registered(session)
    delete_version(session, "prices", 2)

    with pytest.raises(NotFound):
        move_alias(session, model="other", alias="champion", version=1, reason="")
    with pytest.raises(Unprocessable, match="version: 'prices' has no version 7"):
        move_alias(session, model="prices", alias="champion", version=7, reason="")
    with pytest.raises(Conflict, match="deleted"):
        move_alias(session, model="prices", alias="champion", version=2, reason="")
    with pytest.raises(Unprocessable, match="not a valid alias"):
        move_alias(session, model="prices", alias="7", version=1, reason="")


def test_a_version_that_an_alias_points_at_is_not_deleted(session: Session) -> None:
    registered(session)

    with pytest.raises(Conflict, match="is champion"):
        delete_version(session, "prices", 1)


def test_a_deleted_version_stays_as_a_tombstone_and_its_number_is_not_reused(
    session: Session,
) -> None:
    registered(session)
    registered(session, files=stored_files(salt="second"))
    before = revision(session)

    delete_version(session, "prices", 2)

    assert revision(session) == before + 1
    assert get_version(session, "prices", 2).deleted_at is not None
    with pytest.raises(NotFound, match="was deleted"):
        delete_version(session, "prices", 2)
    assert registered(session).number == 3


def test_a_tombstone_needs_its_files_for_a_day(session: Session) -> None:
    first, second = stored_files(salt="1"), stored_files(salt="2")
    registered(session, files=first)
    registered(session, files=second)

    tombstone = delete_version(session, "prices", 2)

    assert {each.sha256 for each in second.values()} <= referenced_objects(session)
    tombstone.deleted_at = datetime.now(UTC) - timedelta(days=1, minutes=1)
    session.flush()
    referenced = referenced_objects(session)
    assert {each.sha256 for each in first.values()} <= referenced
    assert not {each.sha256 for each in second.values()} & referenced


def test_a_manifest_is_known_even_when_its_version_is_deleted(session: Session) -> None:
    files = stored_files(salt="shipped")
    registered(session)
    registered(session, files=files)
    delete_version(session, "prices", 2)

    assert has_manifest(session, "prices", files["manifest.json"].sha256)
    assert not has_manifest(session, "prices", files["model.onnx"].sha256)
    assert not has_manifest(session, "other", files["manifest.json"].sha256)


def test_lists_continue_behind_a_key(session: Session) -> None:
    for name in ("b", "a", "c"):
        registered(session, name)
    registered(session, "a")

    assert [each.name for each in list_models(session, limit=2)] == ["a", "b"]
    assert [each.name for each in list_models(session, limit=2, after="b")] == ["c"]
    assert [each.number for each in list_versions(session, "a", limit=5, before=2)] == [1]
    assert [(each.model, each.version) for each in list_aliases(session, ["a", "b"])] == [
        ("a", 1),
        ("b", 1),
    ]


def together(count: int, work: Callable[[], None]) -> list[BaseException | None]:
    """Run the work in several threads at once; return what each of them raised."""
    start = Barrier(count)

    def started() -> None:
        start.wait()
        work()

    with ThreadPoolExecutor(count) as threads:
        return [each.exception() for each in [threads.submit(started) for _ in range(count)]]


def test_registrations_at_once_get_numbers_of_their_own(sessions: sessionmaker[Session]) -> None:
    start = revision_of(sessions)

    def work() -> None:
        with sessions.begin() as session:
            registered(session)

    assert together(6, work) == [None] * 6

    with sessions() as session:
        versions = list_versions(session, "prices", limit=10)
        assert [each.number for each in versions] == [6, 5, 4, 3, 2, 1]
        assert [each.number for each in versions if each.decision["promoted"]] == [1]
        assert champion_of(session) == 1
        assert revision(session) == start + 6


def test_one_job_registered_twice_at_once_is_one_version(sessions: sessionmaker[Session]) -> None:
    job_id = new_id()

    def work() -> None:
        with sessions.begin() as session:
            assert registered(session, job_id=job_id).number == 1

    assert together(4, work) == [None] * 4


def test_a_version_is_not_deleted_while_an_alias_moves_to_it(
    sessions: sessionmaker[Session],
) -> None:
    with sessions.begin() as session:
        registered(session)
        registered(session)
    moving = sessions()
    move_alias(moving, model="prices", alias="champion", version=2, reason="now")

    with ThreadPoolExecutor(1) as thread:
        deleting = thread.submit(deleted, sessions)
        moving.commit()
        with pytest.raises(Conflict, match="is champion"):
            deleting.result(timeout=60)
    moving.close()


def deleted(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        delete_version(session, "prices", 2)


def test_a_registration_that_breaks_leaves_no_trace(sessions: sessionmaker[Session]) -> None:
    before = revision_of(sessions)

    with sessions() as session:
        registered(session)
        session.rollback()

    with sessions() as session:
        assert list_models(session, limit=1) == []
        assert revision(session) == before


def revision_of(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        return revision(session)
