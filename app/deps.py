"""What handlers ask for; made once per process by `app.main` and kept in `app.state.resources`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.config import Settings
from app.store import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What every domain needs. A domain's own (reader, runtime, log) it keeps in `app.state`."""

    settings: Settings
    database_url: str
    engine: Engine
    sessions: sessionmaker[Session]
    store: ObjectStore


def get_resources(request: Request) -> Resources:
    """The resources of this process."""
    resources: Resources = request.app.state.resources
    return resources


def get_settings(resources: Annotated[Resources, Depends(get_resources)]) -> Settings:
    """The settings this process started with."""
    return resources.settings


def get_store(resources: Annotated[Resources, Depends(get_resources)]) -> ObjectStore:
    """The object store."""
    return resources.store


def get_session(resources: Annotated[Resources, Depends(get_resources)]) -> Iterator[Session]:
    """One transaction, committed when the handler has returned and before the answer leaves."""
    with resources.sessions.begin() as session:
        yield session


ResourcesDep = Annotated[Resources, Depends(get_resources)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
StoreDep = Annotated[ObjectStore, Depends(get_store)]
# scope="function": else FastAPI would commit after the answer has been sent.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
