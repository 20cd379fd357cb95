"""Upgrade the embedded database to the next major PostgreSQL (`stepahead upgrade-database`)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.backup.restore import restore_backup
from app.backup.write import Told, write_backup
from app.config import Settings
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import make_engine
from app.storage.migrate import upgrade
from app.storage.object_store import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    """What is kept from before the upgrade; both may be deleted."""

    backup: Path
    cluster: Path


def upgrade_database(
    settings: Settings, programs: Path, *, tell: Told = lambda _: None
) -> Upgraded:
    """Move the embedded database to the PostgreSQL that comes with this release.

    The cluster is started with its old programs, backed up and renamed, and the backup is restored
    into a new cluster. After every step, the old cluster or the backup is complete.

    Args:
        settings: name the data directory; no service may be using it.
        programs: a folder with the programs of the PostgreSQL that created the cluster.
        tell: receives lines about the progress.

    Raises:
        EmbeddedPostgresError: the programs have the wrong version, or a service is running.
        StoreUnavailable, OSError: the backup cannot be written; the old cluster is unchanged.
    """
    data_dir = settings.resolved_data_dir
    store = ObjectStore.of(settings)
    backup = data_dir / f"before-upgrade-{datetime.now(UTC):%Y%m%dT%H%M%S}.tar"
    old = EmbeddedPostgres(data_dir, bin_dir=programs)
    try:
        url = old.start()
        engine = make_engine(url, statement_seconds=None)
        try:
            upgrade(engine)
        finally:
            engine.dispose()
        write_backup(url, store, backup, tell=tell)
        kept = old.stop_and_set_aside()
    finally:
        old.stop()
    with EmbeddedPostgres(data_dir) as new, backup.open("rb") as file:
        restore_backup(settings, new.url, store, file, tell=tell)
    return Upgraded(backup=backup, cluster=kept)
