"""Models, their versions, and the aliases that say which of them is served."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Body, Header, Path, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from app.artifact.files import file_of, read_artifact
from app.datasets.upload import receive_multipart
from app.errors import NotFound, Unprocessable
from app.http.dependencies import CallerDep, ListSessionDep, ResourcesDep, SessionDep, StoreDep
from app.http.downloads import disposition, download
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById, PagingByName, PagingByNumber
from app.registry import store
from app.registry.aliases import alias_history, list_aliases
from app.registry.archives import Unpacked, archive_of, check, unpack
from app.registry.references import MAX_NUMBER
from app.registry.schemas import (
    AliasAnswer,
    AliasMoveAnswer,
    AliasName,
    AliasRequest,
    ModelAnswer,
    ModelRequest,
    ModelSummary,
    VersionAnswer,
    VersionSummary,
)
from app.registry.watch import FOLLOWS_CHANGE
from app.storage.resources import Resources
from app.storage.store_errors import naming

router = APIRouter(tags=["models"])

NEWEST = 50  # versions and alias moves shown with a model
ModelName = Annotated[str, Path(description="a model's name", examples=["google-stock"])]
Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="a version", examples=[1])]
DESCRIPTION = {"description": "Daily demand of the shops", "tags": ["demand", "eu"]}
IMPORT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "contentMediaType": "application/octet-stream",
                            "description": "the archive, as `GET …/archive` returned it",
                        }
                    },
                }
            }
        },
    }
}
FileName = Annotated[str, Path(description="a file of the artifact", examples=["scorecard.json"])]


@router.get(
    "/models",
    operation_id="list_models",
    summary="List models by name, each with its champion",
    responses=problem_responses(400, 422),
)
def list_models(
    session: ListSessionDep,
    paging: PagingByName,
    tag: Annotated[
        str | None, Query(max_length=50, description="only models with this tag")
    ] = None,
) -> Page[ModelSummary]:
    """Show what can be asked for predictions, and how good it is."""
    rows = store.list_models(session, limit=paging.rows, after=paging.start, tag=tag)
    names = [model.name for model in rows]
    champions = store.list_champions(session, names)
    aliases = list_aliases(session, names)
    return paging.page(
        rows,
        lambda models: [ModelSummary.of(model, champions, aliases) for model in models],
        key=lambda model: model.name,
    )


@router.get(
    "/models/{name}",
    operation_id="get_model",
    summary="Show a model with its newest versions and its alias history",
    responses=problem_responses(404),
)
def get_model(name: ModelName, session: SessionDep) -> ModelAnswer:
    """Show one model."""
    model = store.find_model(session, name)
    aliases = list_aliases(session, [name])
    versions = store.list_versions(session, name, limit=NEWEST)
    history = alias_history(session, name, limit=NEWEST)
    summary = ModelSummary.of(model, store.list_champions(session, [name]), aliases)
    return ModelAnswer(
        **summary.model_dump(),
        versions=[VersionSummary.of(version, aliases) for version in versions],
        history=[AliasMoveAnswer.of(move) for move in history],
    )


@router.patch(
    "/models/{name}",
    operation_id="describe_model",
    summary="Change a model's description and tags",
    responses=problem_responses(400, 403, 404, 415, 422),
)
def describe_model(
    name: ModelName,
    request: Annotated[ModelRequest, Body(openapi_examples={"tags": {"value": DESCRIPTION}})],
    session: SessionDep,
) -> ModelSummary:
    """Change the description and the tags; the versions stay as they are."""
    model = store.describe_model(session, name, description=request.description, tags=request.tags)
    aliases = list_aliases(session, [name])
    return ModelSummary.of(model, store.list_champions(session, [name]), aliases)


@router.get(
    "/models/{name}/versions",
    operation_id="list_versions",
    summary="List a model's versions, newest first",
    responses=problem_responses(400, 404, 422),
)
def list_versions(
    name: ModelName, session: ListSessionDep, paging: PagingByNumber
) -> Page[VersionSummary]:
    """Include deleted versions, as tombstones."""
    rows = store.list_versions(session, name, limit=paging.rows, before=paging.start)
    aliases = list_aliases(session, [name])
    return paging.page(
        rows,
        lambda versions: [VersionSummary.of(version, aliases) for version in versions],
        key=lambda version: version.number,
    )


@router.get(
    "/models/{name}/moves",
    operation_id="list_moves",
    summary="Show a model's alias history, newest first",
    responses=problem_responses(400, 404, 422),
)
def list_moves(
    name: ModelName, session: ListSessionDep, paging: PagingById
) -> Page[AliasMoveAnswer]:
    """Show who moved which alias, when and why."""
    store.find_model(session, name)
    rows = alias_history(session, name, before=paging.start, limit=paging.rows)
    return paging.page(rows, lambda moves: [AliasMoveAnswer.of(move) for move in moves])


@router.get(
    "/models/{name}/versions/{n}",
    operation_id="get_version",
    summary="Show a version with its scorecard and lineage",
    responses=problem_responses(404, 422),
)
def get_version(name: ModelName, n: Number, session: SessionDep) -> VersionAnswer:
    """Show one version; a deleted one is a tombstone without files."""
    version = store.get_version(session, name, n)
    return VersionAnswer.of(version, list_aliases(session, [name]))


@router.get(
    "/models/{name}/versions/{n}/archive",
    operation_id="export_version",
    summary="Export a version as one file, for another installation",
    response_class=Response,
    responses={
        200: {"description": "The archive", "content": {"application/x-tar": {}}},
        **problem_responses(404, 422),
    },
)
def export_version(name: ModelName, n: Number, session: SessionDep, objects: StoreDep) -> Response:
    """Return the artifact's files with their digests, to be imported elsewhere."""
    version = store.get_live_version(session, name, n)
    size, pieces = archive_of(version, objects)
    return StreamingResponse(
        pieces,
        media_type="application/x-tar",
        headers={
            "Content-Length": str(size),
            "Content-Disposition": disposition(f"{name}-{n}.tar"),
        },
    )


@router.post(
    "/models/{name}/versions",
    operation_id="import_version",
    dependencies=[FOLLOWS_CHANGE],
    summary="Import a version that another installation exported",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(400, 403, 409, 413, 415, 422),
    openapi_extra=IMPORT_BODY,
)
async def import_version(
    name: ModelName, request: Request, response: Response, resources: ResourcesDep
) -> VersionAnswer:
    """Register the version under the next number, once its files are proven to be plain data.

    Paths, digests, sizes, the manifest, the weights and every operator of the graph are checked in
    a separate process, which also runs the graph once. Nothing is ever unpickled. The first version
    of a model is served; a later one waits until somebody promotes it.
    """
    async with receive_multipart(request, files=["file"]) as form:
        folder = form.folder / "version"
        unpacked = await to_thread.run_sync(unpack, form.file("file").path, folder)
        await check(unpacked)
        answer = await to_thread.run_sync(_register, resources, name, unpacked)
    response.headers["Location"] = f"/models/{name}/versions/{answer.version}"
    return answer


def _register(resources: Resources, name: str, unpacked: Unpacked) -> VersionAnswer:
    manifest, scorecard = read_artifact(unpacked.folder)
    files = {file: resources.store.put_file(unpacked.folder / file) for file in unpacked.files}
    with resources.sessions.begin() as session:
        version = store.register(
            session,
            model=name,
            kind=manifest.kind,
            manifest=manifest,
            scorecard=scorecard,
            files=files,
            dataset_id=None,
            job_id=None,
            moved_by="upload",
        )
        return VersionAnswer.of(version, list_aliases(session, [name]))


@router.put(
    "/models/{name}/aliases/{alias}",
    operation_id="move_alias",
    dependencies=[FOLLOWS_CHANGE],
    summary="Point an alias at a version: promote, or roll back",
    responses=problem_responses(400, 403, 404, 409, 415, 422),
)
def move_alias(
    name: ModelName,
    alias: AliasName,
    request: Annotated[
        AliasRequest,
        Body(
            openapi_examples={
                "promote": {"value": {"version": 1, "reason": "best on last month's actuals"}}
            }
        ),
    ],
    session: SessionDep,
    caller: CallerDep,
) -> AliasAnswer:
    """Move the alias; every api process follows within a second.

    A version that needs a longer history or other inputs than the one served so far may fail
    requests that are right today. That is a 409 without `force`, which requires a `reason`.
    """
    if request.force and not request.reason.strip():
        raise Unprocessable.at("reason", "is required with force: say why")
    moved = store.move_alias(
        session,
        model=name,
        alias=alias,
        version=request.version,
        reason=request.reason.strip(),
        force=request.force,
        key=caller.name,
    )
    return AliasAnswer.of(moved)


@router.delete(
    "/models/{name}/versions/{n}",
    operation_id="delete_version",
    dependencies=[FOLLOWS_CHANGE],
    summary="Delete a version that no alias points at",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(403, 404, 409, 422),
)
def delete_version(name: ModelName, n: Number, session: SessionDep) -> None:
    """Delete the version. Its number is not reused, and its predictions stay in the log."""
    store.delete_version(session, name, n)


@router.get(
    "/models/{name}/versions/{n}/files/{file}",
    operation_id="download_file",
    summary="Download a file of a version's artifact",
    response_class=Response,
    responses={
        200: {
            "description": "The file",
            "content": {"application/octet-stream": {}, "application/json": {}},
        },
        304: {"description": "The caller has this file already (If-None-Match)"},
        **problem_responses(404, 422),
    },
)
def download_file(
    *,
    name: ModelName,
    n: Number,
    file: FileName,
    session: SessionDep,
    objects: StoreDep,
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Send the file with its sha256 as ETag. A damaged file is never sent whole."""
    version = store.get_live_version(session, name, n)
    entry = version.files.get(file)
    if entry is None:
        raise NotFound(
            f"Version {n} of {name!r} has no file {file[:100]!r}; "
            f"it has {', '.join(sorted(version.files))}."
        )
    with naming(file_of(name, n, file)):
        return download(
            objects,
            entry["sha256"],
            size=entry["size"],
            filename=file,
            media_type="application/json" if file.endswith(".json") else "application/octet-stream",
            if_none_match=if_none_match,
        )
