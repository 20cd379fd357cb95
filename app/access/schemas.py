"""Define the requests and answers of the calls on keys."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.access.allowance import Limits
from app.http.caller import Scope
from app.http.moments import Moment
from app.storage.access_tables import ApiKey, AuditEntry


class KeyRequest(BaseModel):
    """A key to be created."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,99}$",
            description="who or what it is for; shown in the log and the audit list",
            examples=["nightly forecast"],
        ),
    ]
    scope: Annotated[
        Scope,
        Field(description="predict: use models; train: also upload, train, promote; admin: all"),
    ]
    models: Annotated[
        list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]] | None,
        Field(min_length=1, max_length=1000, description="models that it may use; null: all"),
    ] = None
    expires_at: Annotated[Moment | None, Field(description="null: never")] = None
    limits: Limits = Limits()


class KeyAnswer(BaseModel):
    """A key, without its secret."""

    id: UUID
    name: str
    scope: Scope
    models: list[str] | None
    limits: Limits
    created_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="to within ten seconds")]

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Return the answer for a row."""
        return cls(
            id=key.id,
            name=key.name,
            scope=Scope(key.scope),
            models=key.models,
            limits=Limits.model_validate(key.limits),
            created_by=key.created_by,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


class NewKeyAnswer(KeyAnswer):
    """A key that was just created, with its secret."""

    key: Annotated[
        str, Field(description="shown only here; send it as `Authorization: Bearer KEY`")
    ]


class AuditAnswer(BaseModel):
    """A change made through the API."""

    id: UUID
    key: Annotated[str | None, Field(description="its name; null: no key was required")]
    scope: Scope
    method: str
    path: str
    status: int
    request_id: str
    address: Annotated[
        str | None, Field(description="of the other end of the connection, perhaps a proxy")
    ]
    created_at: datetime

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Return the answer for a row."""
        return cls.model_validate(entry, from_attributes=True)
