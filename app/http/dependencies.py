"""Define the dependencies of handlers; `app.main` keeps what they need in `app.state.resources`."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.config import Settings
from app.http.caller import Caller
from app.storage.object_store import ObjectStore
from app.storage.resources import Resources


def get_resources(request: Request) -> Resources:
    """Return the resources of this process."""
    resources: Resources = request.app.state.resources
    return resources


def get_settings(resources: Annotated[Resources, Depends(get_resources)]) -> Settings:
    """Return the settings that this process started with."""
    return resources.settings


def get_store(resources: Annotated[Resources, Depends(get_resources)]) -> ObjectStore:
    """Return the object store."""
    return resources.store


def get_session(resources: Annotated[Resources, Depends(get_resources)]) -> Iterator[Session]:
    """Yield a session; commit when the handler has returned and before the answer is sent."""
    with resources.sessions.begin() as session:
        yield session


def get_list_session(resources: Annotated[Resources, Depends(get_resources)]) -> Iterator[Session]:
    """Yield a session to read a list in, on the replica if there is one."""
    with resources.list_sessions.begin() as session:
        yield session


ResourcesDep = Annotated[Resources, Depends(get_resources)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
StoreDep = Annotated[ObjectStore, Depends(get_store)]
# scope="function": otherwise FastAPI would commit after the answer has been sent.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
ListSessionDep = Annotated[Session, Depends(get_list_session, scope="function")]


def get_caller(request: Request) -> Caller:
    """Return the caller that the gateway admitted."""
    caller: Caller = request.scope["caller"]
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]
