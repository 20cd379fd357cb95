"""Manage API keys and list the changes made with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, FastAPI, Path, Query, Request, Response, status

from app.access import store
from app.access.admission import Admission
from app.access.keyring import Keyring
from app.access.schemas import AuditAnswer, KeyAnswer, KeyRequest, NewKeyAnswer
from app.access.secrets import digest_of, instance_secret, new_token
from app.http.dependencies import CallerDep, ListSessionDep, SessionDep, SettingsDep
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById
from app.storage.resources import Resources

router = APIRouter(tags=["access"])

KEY_EXAMPLE = {
    "name": "nightly forecast",
    "scope": "predict",
    "models": ["google-stock"],
    "limits": {"predictions_per_minute": 600},
}
KeyId = Annotated[UUID, Path(description="a key's id")]


@router.post(
    "/keys",
    operation_id="create_key",
    summary="Create a key",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(400, 403, 409, 415, 422),
)
def create_key(
    *,
    wanted: Annotated[KeyRequest, Body(openapi_examples={"predict": {"value": KEY_EXAMPLE}})],
    request: Request,
    response: Response,
    session: SessionDep,
    settings: SettingsDep,
    caller: CallerDep,
) -> NewKeyAnswer:
    """The secret is shown only in this answer, because only its digest is stored.

    Every api process accepts the key within a second.
    """
    token = new_token()
    key = store.create_key(
        session,
        name=wanted.name,
        digest=digest_of(instance_secret(session, settings), token),
        scope=wanted.scope,
        models=wanted.models,
        limits=wanted.limits.model_dump(exclude_none=True),
        created_by=caller.name,
        expires_at=wanted.expires_at,
    )
    keyring: Keyring = request.app.state.keyring
    keyring.remember_key(key)
    response.headers["Cache-Control"] = "no-store"
    return NewKeyAnswer(**KeyAnswer.of(key).model_dump(), key=token)


@router.get(
    "/keys",
    operation_id="list_keys",
    summary="List keys, newest first, each with its last use",
    responses=problem_responses(400, 403, 422),
)
def list_keys(session: SessionDep, paging: PagingById) -> Page[KeyAnswer]:
    """Includes revoked keys, because the log refers to them, but not the key of the settings."""
    rows = store.list_keys(session, limit=paging.rows, before=paging.start)
    return paging.page(rows, lambda keys: [KeyAnswer.of(key) for key in keys])


@router.delete(
    "/keys/{key_id}",
    operation_id="revoke_key",
    summary="Revoke a key",
    responses=problem_responses(403, 404, 422),
)
def revoke_key(key_id: KeyId, session: SessionDep) -> KeyAnswer:
    """Within a second every api process refuses the key. Its browser sessions end, too."""
    return KeyAnswer.of(store.revoke_key(session, key_id))


@router.get(
    "/audit",
    operation_id="list_audit",
    summary="List changes and who made them, newest first",
    responses=problem_responses(400, 403, 422),
)
def list_audit(
    session: ListSessionDep,
    paging: PagingById,
    key: Annotated[
        str | None,
        Query(max_length=100, pattern=r"^[^\x00]*$", description="only changes made with this key"),
    ] = None,
) -> Page[AuditAnswer]:
    """Includes every call that could change something, except predictions: they have a log."""
    rows = store.list_audit(session, key=key, limit=paging.rows, before=paging.start)
    return paging.page(rows, lambda entries: [AuditAnswer.of(entry) for entry in entries])


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Record key use and changes in the database while the app serves."""
    keyring: Keyring = app.state.keyring
    admission: Admission = app.state.admission
    keyring.follow(resources.sessions)
    admission.follow(resources.sessions)
    ending = asyncio.Event()
    noting = asyncio.create_task(keyring.note_uses(ending))
    try:
        yield
    finally:
        ending.set()
        await noting
