"""Restore a backup (`stepahead restore`) into an installation without any work of its own."""

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

# An installation with rows in one of these tables is in use. The models that come with the code do
# not count, because every installation has them.
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
    """Restore a backup into an empty installation: first the objects, then all rows.

    The tables are created as they were when the backup was written and then migrated. So an older
    backup goes through the same migrations as an older installation. All rows are committed in one
    transaction. Unfinished jobs are queued again and keep their checkpoints.

    Args:
        settings: of the installation.
        database_url: an empty database, or one that was migrated and never used.
        store: its object store.
        file: the archive.
        tell: receives lines about the progress.

    Returns:
        The description of the backup.

    Raises:
        Conflict: the database is in use or at a different migration from the backup, or a newer
            release wrote the backup.
        DamagedArchive: the archive is not a complete backup; no row was written.
        StoreUnavailable: the store cannot be written.
    """
    archive = ArchiveReader(file)
    if not is_known(archive.header.revision):
        raise Conflict(
            f"the backup was written by Stepahead {archive.header.stepahead}; this release does "
            f"not know its migration {archive.header.revision}: use that release or a newer one"
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
            f"the database is at migration {revision} and the backup at {header.revision}: "
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
            f"this installation is in use: there are rows in {', '.join(used)}. Restore the "
            "backup into an empty one; nothing was changed"
        )


def _take_in(archive: ArchiveReader, store: ObjectStore, folder: Path, tell: Told) -> None:
    """Save the tables in the folder and the objects in the store, and verify all of them."""
    tally = Tally()
    for member in archive.members():
        path = folder / member.name
        if not member.is_table and not SHA256.fullmatch(member.name):
            raise DamagedArchive(f"{member.name!r} is not the name of an object, a sha256")
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
        raise DamagedArchive(f"the archive has unknown tables: {', '.join(unknown)}")
    served = connection.scalar(select(RegistryRevision.value)) or 0
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.quote_identifier(name) for name in sorted(known))
    connection.execute(text(f"TRUNCATE {names}"))
    for name, columns in header.columns.items():
        with (folder / name).open("rb") as file:
            rows = copy_in(driver(connection), name, columns, file)
        tell(f"{name}: {rows:,} rows")
    # The backup does not include the queue; a worker finds these jobs lost and queues them again.
    connection.execute(
        update(Job)
        .where(Job.status.in_(UNFINISHED))
        .values(status=JobStatus.QUEUED, queue_id=None, worker=None)
    )
    # Makes api processes that are already running reload the registry.
    connection.execute(update(RegistryRevision).values(value=RegistryRevision.value + served + 1))
