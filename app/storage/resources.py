"""What every process needs: settings, the database, the object store."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.config import Settings
from app.storage.object_store import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What every domain needs. A domain's own (reader, runtime, log) it keeps in `app.state`."""

    settings: Settings
    database_url: str
    engine: Engine
    sessions: sessionmaker[Session]
    store: ObjectStore
