import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from app.backup.check import check_backup
from app.backup.restore import restore_backup
from app.backup.write import write_backup
from app.config import Settings
from app.errors import Conflict
from app.jobs import queue
from app.predictions.logged.partitions import make_partitions
from app.recipes.presets import presets
from app.registry.store import revision
from app.storage.engine import make_engine
from app.storage.ids import first_id, new_id
from app.storage.job_status import JobStatus
from app.storage.object_store import ObjectStore
from app.storage.tables import Alias, Dataset, Job, Prediction, Version
from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import register_artifact

LONG_AGO = datetime(2025, 3, 1, 12, tzinfo=UTC)
TRICKY = {"text": "tab\t, line\nfeed, back\\slash, quote ', null \\N, Grüße, 日本"}


class Installation:
    """A database and a store."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url
        self.engine: Engine = make_engine(database_url)
        self.sessions = sessionmaker(self.engine, expire_on_commit=False)
        self.store = ObjectStore.open((folder / "store").as_uri())
        self.settings = Settings(data_dir=folder)

    def use(self) -> None:
        """Create a model, a dataset, a running job, a prediction of today and an old one."""
        register_artifact(self.sessions, self.store, "prices", persistence_artifact())
        make_partitions(self.engine, [LONG_AGO.date(), datetime.now(UTC).date()])
        with self.sessions.begin() as session:
            dataset = a_dataset(self.store.put_bytes(b"a,b\n1,2\n").sha256)
            session.add(dataset)
            session.flush()
            recipe = presets("series")["chapter"]
            job = queue.enqueue(
                session, model="prices", kind="series", dataset_id=dataset.id, recipe=recipe
            )
            queue.take_up(session, job.id, queue_id=job.queue_id or 0, worker="lost:1")
            session.add(a_prediction(new_id(), datetime.now(UTC)))
            session.add(a_prediction(first_id(LONG_AGO), LONG_AGO))


def a_dataset(sha256: str) -> Dataset:
    return Dataset(
        id=new_id(),
        sha256=sha256,
        read_options="{}",
        content_sha256=sha256,
        kind="series",
        filename="tab\there.csv",
        size_bytes=8,
        report=TRICKY,
    )


def a_prediction(identifier: UUID, moment: datetime) -> Prediction:
    return Prediction(
        id=identifier,
        created_at=moment,
        request_id="r",
        model="prices",
        version=1,
        alias=None,
        kind="series",
        series=None,
        request=TRICKY,
        response={"value": 0.1},
    )


@pytest.fixture
def used(fresh_database: str, tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(fresh_database, tmp_path / "used")
    installation.use()
    yield installation
    installation.engine.dispose()


@pytest.fixture
def empty(cluster: tuple[str, str], tmp_path: Path) -> Iterator[Installation]:
    with own_database(cluster) as database_url:
        installation = Installation(database_url, tmp_path / "empty")
        yield installation
        installation.engine.dispose()


def restored(archive: Path, into: Installation) -> None:
    with archive.open("rb") as file:
        restore_backup(into.settings, into.url, into.store, file)


def everything(session: Session) -> list[object]:
    predictions = session.execute(
        select(Prediction.id, Prediction.created_at, Prediction.request, Prediction.response)
    )
    versions = session.execute(
        select(Version.model, Version.number, Version.manifest, Version.scorecard, Version.files)
    )
    datasets = session.execute(select(Dataset.id, Dataset.filename, Dataset.report))
    aliases = session.execute(select(Alias.model, Alias.alias, Alias.version, Alias.moved_at))
    return [sorted(map(repr, rows)) for rows in (predictions, versions, datasets, aliases)]


def test_a_restored_installation_holds_what_was_backed_up(
    used: Installation, empty: Installation, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar"
    write_backup(used.url, used.store, archive)
    restored(archive, empty)
    with used.sessions() as before, empty.sessions() as after:
        assert everything(after) == everything(before)
        files = after.scalars(select(Version.files)).one()
    for entry in files.values():
        assert len(empty.store.get(entry["sha256"])) == entry["size"]


def test_an_unfinished_job_waits_in_the_restored_queue(
    used: Installation, empty: Installation, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar"
    write_backup(used.url, used.store, archive)
    restored(archive, empty)
    with empty.sessions.begin() as session:
        (lost,) = queue.lost_jobs(session)
        assert queue.rescue(session, lost) == JobStatus.QUEUED
        job = session.get_one(Job, lost, populate_existing=True)
        assert queue.take_up(session, lost, queue_id=job.queue_id or 0, worker="new:1")


def test_running_processes_notice_what_was_restored(
    used: Installation, empty: Installation, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar"
    write_backup(used.url, used.store, archive)
    register_artifact(empty.sessions, empty.store, "shipped", persistence_artifact())
    with empty.sessions() as session:
        seen = revision(session)
    restored(archive, empty)
    with empty.sessions() as session:
        assert revision(session) > seen


def test_all_rows_of_a_backup_are_of_one_moment(used: Installation, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    late: list[str] = []

    def tell(_: str) -> None:
        if not late:  # the first table has been copied
            register_artifact(used.sessions, used.store, "late", persistence_artifact())
            late.append("registered")

    write_backup(used.url, used.store, archive, tell=tell)
    with archive.open("rb") as file:
        checked = check_backup(file)
    assert late
    assert checked.rows["models"] == checked.rows["versions"] == 1


@pytest.mark.parametrize("work", ["dataset", "prediction"])
def test_an_installation_in_use_is_left_alone(
    work: str, used: Installation, empty: Installation, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar"
    write_backup(used.url, used.store, archive)
    make_partitions(empty.engine, [LONG_AGO.date()])
    with empty.sessions.begin() as session:
        one = a_prediction(first_id(LONG_AGO), LONG_AGO)
        session.add(a_dataset("0" * 64) if work == "dataset" else one)
    with pytest.raises(Conflict, match=rf"in use: there are rows in {work}s\."):
        restored(archive, empty)
    with empty.sessions() as session:
        assert session.scalars(select(Version)).all() == []


def test_a_backup_goes_into_a_database_without_tables(
    used: Installation, cluster: tuple[str, str], tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar"
    write_backup(used.url, used.store, archive)
    with own_database((cluster[0], "template1")) as database_url:
        bare = Installation(database_url, tmp_path / "bare")
        restored(archive, bare)
        with bare.sessions() as session:
            assert session.get_one(Alias, ("prices", "champion")).version == 1
        bare.engine.dispose()


def test_an_object_that_the_store_lacks_is_named(used: Installation, tmp_path: Path) -> None:
    with used.sessions() as session:
        gone = session.scalars(select(Dataset.sha256)).one()
    used.store.sweep(set, timedelta(0))
    contents = write_backup(used.url, used.store, tmp_path / "backup.tar")
    assert gone in contents.missing
    assert "is missing from the object store" in contents.missing[gone]


def test_a_backup_that_fails_leaves_the_last_one(used: Installation, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    write_backup(used.url, used.store, archive)
    good = archive.read_bytes()

    def give_up(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_backup(used.url, used.store, archive, tell=give_up)
    assert archive.read_bytes() == good
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "used"]


def test_the_archive_is_an_ordinary_tar_without_names_of_this_machine(
    used: Installation, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar"
    write_backup(used.url, used.store, archive)
    with tarfile.open(archive) as tar:
        entries = tar.getmembers()
    assert {entry.uname for entry in entries} == {""}
    assert [entries[0].name, entries[-1].name] == ["backup.json", "contents.json"]
