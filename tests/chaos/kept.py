"""What a service has kept, read from its database and its store after it ended."""

from pathlib import Path

import psycopg

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo
from app.storage.object_store import ObjectStore
from app.storage.store_errors import ObjectLost

DATASETS = "SELECT id, sha256, content_sha256 FROM datasets"


def kept_in(data_dir: Path) -> set[str]:
    """Return the ids of all predictions, and of all datasets whose files are intact."""
    with EmbeddedPostgres(data_dir) as server:
        return kept_by(server.url, ObjectStore.open((data_dir / "store").as_uri()))


def kept_by(database_url: str, store: ObjectStore) -> set[str]:
    """Return the same for a service whose database and store are elsewhere."""
    with psycopg.connect(conninfo(database_url)) as connection:
        found = {str(found) for (found,) in connection.execute("SELECT id FROM predictions")}
        for dataset, *files in connection.execute(DATASETS):
            if all(is_whole(store, sha256) for sha256 in files):
                found.add(str(dataset))
    return found


def is_whole(store: ObjectStore, sha256: str) -> bool:
    try:
        store.get(sha256)
    except ObjectLost:
        return False
    return True
