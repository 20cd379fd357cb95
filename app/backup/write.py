"""Back up database and store consistently while the service runs (`stepahead backup`)."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app.backup.archive import FORMAT, ArchiveWriter, Contents, Header
from app.backup.tables import backed_up_tables, columns_of, copy_out
from app.errors import Conflict
from app.jobs.upkeep import referenced_objects
from app.storage.engine import make_engine
from app.storage.migrate import head_revision
from app.storage.object_store import ObjectStore
from app.storage.schema_version import current_revision
from app.storage.store_errors import ObjectDamaged, ObjectMissing

Told = Callable[[str], None]  # receives a line about the progress


def write_backup(
    database_url: str, store: ObjectStore, path: Path, *, tell: Told = lambda _: None
) -> Contents:
    """Back up the whole installation into a file.

    All tables come from one snapshot. Every object that the snapshot refers to was stored before
    its rows were committed, and objects are kept for at least a day after their last reference is
    gone. So the archive is consistent although the service keeps running.

    Args:
        database_url: a migrated database.
        store: its object store.
        path: the archive; it appears, or replaces an older one, when it is complete.
        tell: receives lines about the progress.

    Returns:
        The contents of the archive; `missing` names objects that could not be fetched.

    Raises:
        Conflict: the database is at a different migration from this release.
        StoreUnavailable: the store cannot be read.
        OSError: the archive cannot be written; no file is left.
    """
    engine = make_engine(database_url, statement_seconds=None)
    try:
        with (
            engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
            tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as folder,
            ArchiveWriter(path) as archive,
        ):
            _write_tables(connection, archive, Path(folder), tell)
            with Session(connection) as session:
                needed = referenced_objects(session)
            _write_objects(store, archive, needed, Path(folder), tell)
            return archive.finish()
    finally:
        engine.dispose()


def _write_tables(connection: Connection, archive: ArchiveWriter, folder: Path, tell: Told) -> None:
    revision = current_revision(connection)
    if revision is None or revision != head_revision():
        raise Conflict(
            f"the database is at migration {revision} and this release at {head_revision()}; "
            "back it up with the release that uses it, or run `stepahead migrate` first"
        )
    tables = backed_up_tables()
    archive.write_header(
        Header(
            format=FORMAT,
            stepahead=version("stepahead"),
            revision=revision,
            created_at=datetime.now(UTC),
            columns={table.name: columns_of(table) for table in tables},
        )
    )
    for table in tables:
        copied = folder / table.name
        rows = copy_out(connection, table, copied)
        archive.add_table(table.name, copied, rows)
        copied.unlink()
        tell(f"{table.name}: {rows:,} rows")


def _write_objects(
    store: ObjectStore, archive: ArchiveWriter, needed: set[str], folder: Path, tell: Told
) -> None:
    for sha256 in sorted(needed):
        fetched = folder / sha256
        try:
            store.fetch(sha256, fetched)
        except (ObjectMissing, ObjectDamaged) as error:
            archive.note_missing(sha256, str(error))
            continue
        archive.add_object(sha256, fetched)
        fetched.unlink()
    tell(f"store: {len(needed):,} objects")
