"""`stepahead backup`, `restore`, `check-backup` and `upgrade-database`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from app.backup.archive import DamagedArchive
from app.backup.check import check_backup
from app.backup.places import opened, written
from app.backup.restore import restore_backup
from app.backup.upgrade import upgrade_database
from app.backup.write import write_backup
from app.config import Settings
from app.errors import StepaheadError
from app.storage.embedded import EmbeddedPostgresError, reached
from app.storage.object_store import ObjectStore
from app.storage.schema_version import NewerDatabase
from app.terminal.rendering.problems import CommandError
from app.terminal.service.settings import plain_errors, read_settings

BYTES_PER_MB = 1_000_000


def run_backup(place: str, *, data_dir: Path | None) -> None:
    """Write a backup of the installation that the settings name."""
    settings = read_settings({"data_dir": data_dir})
    console = Console(stderr=True)
    with _told(settings), _database(settings) as url, written(place) as path:
        store = ObjectStore.of(settings)
        contents = write_backup(url, store, path, tell=console.print)
        size = path.stat().st_size
    print(f"Backup written to {place}: {size / BYTES_PER_MB:,.1f} MB.")
    if contents.missing:
        lines = "\n  ".join(contents.missing.values())
        raise CommandError(
            f"the backup lacks {len(contents.missing)} objects that the store does not have whole:"
            f"\n  {lines}\nWhatever refers to them was broken before; everything else is saved."
        )


def run_restore(place: str, *, data_dir: Path | None) -> None:
    """Restore a backup into the empty installation that the settings name."""
    settings = read_settings({"data_dir": data_dir})
    console = Console(stderr=True)
    with _told(settings), opened(place) as file, _database(settings) as url:
        store = ObjectStore.of(settings)
        header = restore_backup(settings, url, store, file, tell=console.print)
    print(f"Restored: a backup of {header.created_at:%Y-%m-%d %H:%M} UTC.")


def run_check_backup(place: str) -> None:
    """Read a backup from end to end and say what it holds."""
    with _told(read_settings({})), opened(place) as file:
        checked = check_backup(file)
    print(
        f"The backup is complete: made {checked.created_at:%Y-%m-%d %H:%M} UTC by Stepahead "
        f"{checked.stepahead}, migration {checked.revision}."
    )
    for table, rows in checked.rows.items():
        if rows:
            print(f"  {table}: {rows:,} rows")
    print(f"  {checked.objects:,} objects, {checked.object_bytes / BYTES_PER_MB:,.1f} MB")
    if checked.missing:
        raise CommandError(
            f"{len(checked.missing)} objects were missing when it was made:\n  "
            + "\n  ".join(checked.missing.values())
        )


def run_upgrade_database(programs: Path, *, data_dir: Path | None) -> None:
    """Move the embedded database to the PostgreSQL of this release."""
    settings = read_settings({"data_dir": data_dir})
    if settings.database_url is not None:
        raise CommandError(
            "STEPAHEAD_DATABASE_URL names a PostgreSQL of your own, which Stepahead does not "
            "upgrade; unset it to upgrade the embedded one"
        )
    console = Console(stderr=True)
    with _told(settings):
        kept = upgrade_database(settings, programs, tell=console.print)
    print(
        f"The database runs on this release's PostgreSQL. Kept from before, to be deleted when "
        f"all is well:\n  {kept.backup}\n  {kept.cluster}"
    )


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    with reached(settings.resolved_data_dir) as url:
        yield url


@contextmanager
def _told(settings: Settings) -> Iterator[None]:
    """Show errors that the user can fix without a traceback."""
    with plain_errors(settings):
        try:
            yield
        except (
            DamagedArchive,
            EmbeddedPostgresError,
            NewerDatabase,
            OSError,
            StepaheadError,
            ValueError,
        ) as error:
            raise CommandError(str(error)) from error
