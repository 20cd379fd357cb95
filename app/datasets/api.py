"""Upload datasets and show how they were read."""

from typing import Annotated, Any
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response, status

from app.datasets import store
from app.datasets.ingest import lifespan_of, parse_read_options, understand
from app.datasets.preview import MOST_POINTS, Preview
from app.datasets.schemas import DatasetAnswer, media_type_of
from app.datasets.upload import receive_multipart
from app.errors import NotFound
from app.http.dependencies import CallerDep, ListSessionDep, ResourcesDep, SessionDep, StoreDep
from app.http.downloads import download
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById
from app.reading.read_options import ReadOptions
from app.storage.resources import Resources
from app.storage.store_errors import naming
from app.storage.tables import Dataset

__all__ = ["lifespan_of", "router"]

router = APIRouter(tags=["datasets"])

UPLOAD_BODY: dict[str, Any] = {
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
                            "description": "a table of numbers over time, or a text",
                        },
                        "read": ReadOptions.model_json_schema()
                        | {
                            "description": "how to read the file, where detection is wrong",
                            "examples": [{"gaps": "leave"}],
                        },
                    },
                },
                "encoding": {"read": {"contentType": "application/json"}},
            }
        },
    }
}


@router.post(
    "/datasets",
    operation_id="upload_dataset",
    summary="Upload a file and see how it was read",
    status_code=status.HTTP_201_CREATED,
    responses={
        200: {
            "model": DatasetAnswer,
            "description": "The same file with the same options was already uploaded",
        },
        **problem_responses(400, 403, 413, 415, 422, 507),
    },
    openapi_extra=UPLOAD_BODY,
)
async def upload_dataset(
    request: Request, response: Response, resources: ResourcesDep
) -> DatasetAnswer:
    """Read a file of numbers over time, or a text, and store it.

    The report in the answer says what was detected and why. A file that cannot be used is a 422
    with the report so far, and nothing is stored. The same bytes with the same `read` are one
    dataset.
    """
    async with receive_multipart(request, files=["file"], fields=["read"]) as form:
        upload = form.file("file")
        options = parse_read_options(form.fields.get("read"))
        understood = await understand(request, form, upload, options)
    dataset, is_new = await to_thread.run_sync(_save, resources, understood)
    response.headers["Location"] = f"/datasets/{dataset.id}"
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return DatasetAnswer.of(dataset)


def _save(resources: Resources, understood: store.UnderstoodFile) -> tuple[Dataset, bool]:
    with resources.sessions.begin() as session:
        dataset, is_new = store.save_dataset(session, understood)
        session.expunge(dataset)
    return dataset, is_new


@router.get(
    "/datasets",
    operation_id="list_datasets",
    summary="List datasets, newest first",
    responses=problem_responses(400, 422),
)
def list_datasets(
    session: ListSessionDep, caller: CallerDep, paging: PagingById
) -> Page[DatasetAnswer]:
    """Each dataset comes with its report."""
    caller.check_everything("datasets")
    rows = store.list_datasets(session, limit=paging.rows, before=paging.start)
    return paging.page(rows, lambda datasets: [DatasetAnswer.of(dataset) for dataset in datasets])


@router.get(
    "/datasets/{dataset_id}",
    operation_id="get_dataset",
    summary="Show a dataset with its report",
    responses=problem_responses(404, 422),
)
def get_dataset(dataset_id: UUID, session: SessionDep) -> DatasetAnswer:
    """The report says how the file was read."""
    return DatasetAnswer.of(store.get_dataset(session, dataset_id))


@router.get(
    "/datasets/{dataset_id}/file",
    operation_id="download_dataset",
    summary="Download an uploaded file with its original bytes",
    response_class=Response,
    responses={
        200: {"description": "The file, of the type that its name says", "content": {"*/*": {}}},
        304: {"description": "The caller already has it (If-None-Match)"},
        **problem_responses(404, 422),
    },
)
def download_dataset(
    *,
    dataset_id: UUID,
    session: SessionDep,
    objects: StoreDep,
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Its ETag is its sha256; `read` of the dataset says how it was read.

    A joined dataset has no file of its own, so the answer is a 404 that names its parts.
    """
    dataset = store.get_dataset(session, dataset_id)
    if dataset.extends_id is not None:
        raise NotFound(
            f"dataset {dataset_id} is joined from two and has no file of its own: download "
            f"{dataset.extends_id} and {dataset.extended_by_id or 'the values that followed'}"
        )
    filename = dataset.filename or dataset.kind
    with naming(f"the file of dataset {dataset_id}", store.UPLOAD_AGAIN):
        return download(
            objects,
            dataset.sha256,
            size=dataset.size_bytes,
            filename=filename,
            media_type=media_type_of(filename),
            if_none_match=if_none_match,
        )


@router.get(
    "/datasets/{dataset_id}/values",
    operation_id="get_dataset_values",
    summary="Preview a dataset: a column to draw, or the beginning of a text",
    responses=problem_responses(404, 422),
)
def get_dataset_values(
    *,
    dataset_id: UUID,
    session: SessionDep,
    objects: StoreDep,
    column: Annotated[str | None, Query(description="default: the suggested target")] = None,
    series: Annotated[str | None, Query(description="default: the first")] = None,
    points: Annotated[
        int, Query(ge=2, le=MOST_POINTS, description="maximum number of values")
    ] = 1000,
    last: Annotated[
        int | None,
        Query(ge=1, le=MOST_POINTS, description="this many rows from the end, without thinning"),
    ] = None,
) -> Preview:
    """Long series are thinned to the lowest and the highest value of each section."""
    dataset = store.get_dataset(session, dataset_id)
    suggested = dataset.report["target"] if column is None else column
    return Preview.at(
        store.load_content(dataset, objects),
        column=suggested,
        series=series,
        points=points,
        last=last,
    )
