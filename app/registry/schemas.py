"""Requests and answers of the registry's calls."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.recipes.recipe import RECIPE, AnyRecipe, Kind
from app.registry.outline import Outline
from app.registry.references import MAX_NUMBER
from app.storage.tables import Alias, AliasMove, Model, Version

VersionNumber = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
AliasName = Annotated[
    str,
    Path(
        description="an alias; `champion` is the version that is served",
        examples=["champion"],
        # For the OpenAPI document alone: `check_alias_name` has a better message.
        json_schema_extra={"pattern": "^(?![0-9]+$)[a-z0-9][a-z0-9._-]*$"},
    ),
]


class DecisionAnswer(BaseModel):
    """Whether a version became champion when it was registered, and why."""

    promoted: Annotated[bool, Field(description="it became champion automatically")]
    reason: str
    comparison: Annotated[dict[str, Any] | None, Field(description="the figures, if there are any")]


class VersionSummary(BaseModel):
    """A version in a list."""

    version: int
    verdict: Annotated[str, Field(description="the scorecard in one sentence")]
    skill: Annotated[float | None, Field(description="1 - error/baseline's error")]
    judged_on: Literal["test", "held-out", "training"]
    significance: Annotated[
        Literal["better", "worse", "within noise", "not to be told"] | None,
        Field(
            description="result of a significance test of the skill, against persistence or the "
            "n-gram; null if not tested"
        ),
    ]
    recipe: AnyRecipe
    dataset: Annotated[UUID | None, Field(description="trained on; null for a shipped version")]
    decision: DecisionAnswer
    aliases: list[str]
    created_at: datetime
    deleted_at: Annotated[datetime | None, Field(description="if set, only a tombstone is left")]

    @classmethod
    def of(cls, outline: Outline, aliases: Iterable[Alias]) -> Self:
        """Build it from a row and the aliases of its model, or of more models."""
        return cls(
            version=outline.number,
            verdict=outline.verdict,
            skill=outline.skill,
            judged_on=outline.judged_on,
            significance=outline.significance,
            recipe=RECIPE.validate_python(outline.recipe),
            dataset=outline.dataset_id,
            decision=DecisionAnswer(**outline.decision),
            aliases=names_of(outline.model, outline.number, aliases),
            created_at=outline.created_at,
            deleted_at=outline.deleted_at,
        )


class ModelSummary(BaseModel):
    """A model in a list."""

    name: str
    kind: Kind
    champion: Annotated[VersionSummary | None, Field(description="the version that is served")]
    aliases: Annotated[dict[str, int], Field(description="the version that each alias points at")]
    last_version: int
    description: str
    tags: list[str]
    created_at: datetime

    @classmethod
    def of(cls, model: Model, champions: Iterable[Outline], aliases: Iterable[Alias]) -> Self:
        """Build it from rows of this model, or of more models."""
        own = [alias for alias in aliases if alias.model == model.name]
        champion = next((each for each in champions if each.model == model.name), None)
        return cls(
            name=model.name,
            kind=model.kind,
            champion=None if champion is None else VersionSummary.of(champion, own),
            aliases={alias.alias: alias.version for alias in own},
            last_version=model.last_version,
            description=model.description,
            tags=model.tags,
            created_at=model.created_at,
        )


class AliasMoveAnswer(BaseModel):
    """A move of an alias."""

    alias: str
    from_version: Annotated[int | None, Field(description="null if the alias was new")]
    to_version: int
    reason: str
    moved_by: str
    key: Annotated[
        str | None, Field(description="name of the caller's key; null if there was none")
    ]
    moved_at: datetime

    @classmethod
    def of(cls, move: AliasMove) -> Self:
        """Build it from a row."""
        return cls(
            alias=move.alias,
            from_version=move.from_version,
            to_version=move.to_version,
            reason=move.reason,
            moved_by=move.moved_by,
            key=move.key,
            moved_at=move.moved_at,
        )


class ModelAnswer(ModelSummary):
    """A model with its newest versions."""

    versions: Annotated[list[VersionSummary], Field(description="the newest 50, newest first")]
    history: Annotated[
        list[AliasMoveAnswer], Field(description="the last 50 moves of aliases, newest first")
    ]


class FileAnswer(BaseModel):
    """A file of a version's artifact."""

    name: str
    sha256: str
    size_bytes: int
    url: Annotated[str, Field(description="address for the download")]


class Lineage(BaseModel):
    """Where a version comes from."""

    dataset: Annotated[UUID | None, Field(description="trained on; null for a shipped version")]
    test_dataset: Annotated[str | None, Field(description="judged on, if it is another dataset")]
    job: Annotated[UUID | None, Field(description="trained by; null for a shipped version")]
    start_from: Annotated[str | None, Field(description="NAME@N whose weights it started from")]


class VersionAnswer(BaseModel):
    """A version: what it is, how good it is, and where it comes from."""

    model: str
    version: int
    kind: Kind
    aliases: list[str]
    manifest: Manifest
    scorecard: Scorecard
    decision: DecisionAnswer
    lineage: Lineage
    files: Annotated[list[FileAnswer], Field(description="empty once the version is deleted")]
    created_at: datetime
    deleted_at: Annotated[datetime | None, Field(description="if set, only a tombstone is left")]

    @classmethod
    def of(cls, version: Version, aliases: Iterable[Alias]) -> Self:
        """Build it from a row and the aliases of its model."""
        manifest = Manifest.model_validate(version.manifest)
        return cls(
            model=version.model,
            version=version.number,
            kind=manifest.kind,
            aliases=names_of(version.model, version.number, aliases),
            manifest=manifest,
            scorecard=Scorecard.model_validate(version.scorecard),
            decision=DecisionAnswer(**version.decision),
            lineage=Lineage(
                dataset=version.dataset_id,
                test_dataset=manifest.test_dataset_id,
                job=version.job_id,
                start_from=manifest.start_from,
            ),
            files=[] if version.deleted_at is not None else _files_of(version),
            created_at=version.created_at,
            deleted_at=version.deleted_at,
        )


class ModelRequest(BaseModel):
    """A model's description and tags; a field that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    description: Annotated[
        str | None,
        Field(max_length=10_000, pattern=r"^[^\x00]*$", examples=["Daily demand of the shops"]),
    ] = None
    tags: Annotated[
        list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,49}$")]] | None,
        Field(max_length=50, description="replaces all tags", examples=[["demand", "eu"]]),
    ] = None


class AliasRequest(BaseModel):
    """The version that an alias is to point at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: VersionNumber
    reason: Annotated[
        str,
        Field(max_length=1000, pattern=r"^[^\x00]*$", description="kept in the alias history"),
    ] = ""
    force: Annotated[
        bool,
        Field(description="move it even to a version that may fail requests which are right today"),
    ] = False


class AliasAnswer(BaseModel):
    """The version that an alias points at."""

    model: str
    alias: str
    version: int
    moved_at: datetime

    @classmethod
    def of(cls, alias: Alias) -> Self:
        """Build it from a row."""
        return cls(
            model=alias.model, alias=alias.alias, version=alias.version, moved_at=alias.moved_at
        )


def names_of(model: str, number: int, aliases: Iterable[Alias]) -> list[str]:
    """Return the aliases that point at a version."""
    return [each.alias for each in aliases if (each.model, each.version) == (model, number)]


def _files_of(version: Version) -> list[FileAnswer]:
    return [
        FileAnswer(
            name=name,
            sha256=entry["sha256"],
            size_bytes=entry["size"],
            url=f"/models/{version.model}/versions/{version.number}/files/{name}",
        )
        for name, entry in sorted(version.files.items())
    ]
