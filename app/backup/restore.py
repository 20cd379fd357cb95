"""`stepahead restore`: an archive into an installation that holds nothing of its own yet."""

import tempfile
from datetime import date
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, select, text, update

from app.backup.archive import ArchiveReader, DamagedArchive, Header, digest_of
from app.backup.check import Tally
from app.backup.tables import copy_in, days_of_log, driver
from app.backup.write import Told
from app.config import Settings
from app.errors import Conflict
from app.predictions.logged.partitions import maintain_partitions, make_partitions
from app.storage.engine import make_engine
from app.storage.job_status import UNFINISHED, JobStatus
from app.storage.migrate import upgrade
from app.storage.monitoring_tables import Actual, Schedule
from app.storage.object_store import SHA256, ObjectStore
from app.storage.schema_version import current_revision, is_known
from app.storage.tables import Dataset, Job, Prediction, RegistryRevision, Version

# A table with a row in one of these holds somebody's work. The models that come with the code do
# not count: every installation has them.
WORK = (Dataset, Job, Prediction, Actual, Schedule)

OWN_TABLES = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND NOT relispartition
  AND relnamespace = current_schema()::regnamespace
  AND relname <> 'alembic_version' AND relname NOT LIKE 'procrastinate\\_%'
"""


def restore_backup(
    settings: Settings,
    database_url: str,
    store: ObjectStore,
    file: IO[bytes],
    *,
    tell: Told = lambda _: None,
) -> Header:
    """Put a backup into an empty installation: first the objects, then all rows at once.

    The tables are made as they were when the backup was written and migrated afterwards, so that
    an older backup goes through the same migrations as an older installation. Until the last row
    is in nothing is committed. Unfinished jobs wait in the queue again; none of their checkpoints
    is lost.

    Args:
        settings: of the installation.
        database_url: an empty database, or one that was migrated and never used.
        store: its object store.
        file: the archive.
        tell: takes progress.

    Raises:
        Conflict: the database holds work, or tables of another migration than the backup's; or a
            newer release wrote the backup.
        DamagedArchive: the archive is not a complete backup; no row was written.
        StoreUnavailable: the store cannot be written.
    """
    archive = ArchiveReader(file)
    if not is_known(archive.header.revision):
        raise Conflict(
            f"the backup was written by Stepahead {archive.header.stepahead}, whose migration "
            f"{archive.header.revision} this release does not know: use that release or a newer one"
        )
    engine = make_engine(database_url, statement_seconds=None)
    try:
        with tempfile.TemporaryDirectory(prefix="stepahead-restore-") as saved:
            with engine.connect() as connection:
                _check_unused(connection, archive.header)
            folder = Path(saved)
            _take_in(archive, store, folder, tell)
            upgrade(engine, archive.header.revision)
            make_partitions(engine, _days_of_log(archive.header, folder))
            with engine.begin() as connection:
                _load(connection, archive.header, folder, tell)
        upgrade(engine)
        maintain_partitions(engine, settings)
    finally:
        engine.dispose()
    return archive.header


def _check_unused(connection: Connection, header: Header) -> None:
    revision = current_revision(connection)
    if revision is None:
        return
    if revision != header.revision:
        raise Conflict(
            f"the database stands at migration {revision} and the backup at {header.revision}: "
            "restore it into a database without tables (CREATE DATABASE), or with an empty data "
            "directory"
        )
    used = [
        table.__tablename__
        for table in WORK
        if connection.scalar(select(select(table).exists())) is True
    ]
    if connection.scalar(select(Version.number).where(Version.job_id.is_not(None)).limit(1)):
        used.append(Version.__tablename__)
    if used:
        raise Conflict(
            f"this installation is in use: there are rows in {', '.join(used)}. A backup is "
            "restored into an empty one; nothing was changed"
        )


def _take_in(archive: ArchiveReader, store: ObjectStore, folder: Path, tell: Told) -> None:
    """Save the tables in the folder and put the objects into the store, verified."""
    tally = Tally()
    for member in archive.members():
        path = folder / member.name
        if not member.is_table and not SHA256.fullmatch(member.name):
            raise DamagedArchive(f"{member.name!r} is not the sha256 of an object")
        with path.open("wb") as file:
            tally.count(member, digest_of(member, file))
        if not member.is_table:
            store.put_file(path)
            path.unlink()
    tally.compare(archive.header, archive.contents)
    tell(f"store: {len(tally.objects):,} objects")


def _days_of_log(header: Header, folder: Path) -> set[date]:
    log = Prediction.__tablename__
    if log not in header.columns:
        return set()
    with (folder / log).open("rb") as file:
        return days_of_log(file, header.columns[log])


def _load(connection: Connection, header: Header, folder: Path, tell: Told) -> None:
    """Fill the tables in one transaction."""
    known = set(connection.scalars(text(OWN_TABLES)))
    unknown = sorted(header.columns.keys() - known)
    if unknown:
        raise DamagedArchive(f"the archive has tables that are not ours: {', '.join(unknown)}")
    served = connection.scalar(select(RegistryRevision.value)) or 0
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.quote_identifier(name) for name in sorted(known))
    connection.execute(text(f"TRUNCATE {names}"))
    for name, columns in header.columns.items():
        with (folder / name).open("rb") as file:
            rows = copy_in(driver(connection), name, columns, file)
        tell(f"{name}: {rows:,} rows")
    # Their places in the queue were not part of the backup; a worker's rescue queues them anew.
    connection.execute(
        update(Job)
        .where(Job.status.in_(UNFINISHED))
        .values(status=JobStatus.QUEUED, queue_id=None, worker=None)
    )
    # Api processes that are running already must notice.
    connection.execute(update(RegistryRevision).values(value=RegistryRevision.value + served + 1))
