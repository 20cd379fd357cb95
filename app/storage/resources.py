"""Hold what every process needs: settings, the database, the object store."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.config import Settings
from app.storage.object_store import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What every domain needs; what only one domain needs is in `app.state`."""

    settings: Settings
    database_url: str
    engine: Engine
    sessions: sessionmaker[Session]
    store: ObjectStore
    replica: sessionmaker[Session] | None = None

    @property
    def list_sessions(self) -> sessionmaker[Session]:
        """Return the sessions in which lists are read: the replica's, where there is one."""
        return self.replica or self.sessions

    @property
    def list_url(self) -> str:
        """Return the URL of the database that `list_sessions` reads."""
        return self.settings.read_database_url or self.database_url
