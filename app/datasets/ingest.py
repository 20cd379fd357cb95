"""Take in an uploaded file: read it, then put it into the object store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from pydantic import ValidationError
from starlette.requests import Request

from app.datasets.readers import Readers
from app.datasets.reading_limits import ReadingLimits
from app.datasets.store import JoinedContent, UnderstoodFile
from app.datasets.upload import MultipartForm, UploadedFile
from app.datasets.upload_folder import open_upload_folder
from app.errors import FieldError, Unprocessable
from app.http.dependencies import get_resources
from app.http.problem_responses import invalid_fields
from app.reading.read_options import ReadOptions
from app.storage.object_store import StoredObject
from app.storage.resources import Resources

STORED_AT_ONCE = 8  # files on their way to the store


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Open the upload folder and the readers of this process."""
    settings = resources.settings
    with open_upload_folder(settings) as uploads:
        limits = ReadingLimits(
            max_upload_bytes=settings.max_upload_bytes, room_bytes=uploads.room_bytes
        )
        readers = Readers(limits)
        app.state.uploads = uploads
        app.state.readers = readers
        app.state.storing = CapacityLimiter(STORED_AT_ONCE)
        if settings.warm_reader:
            readers.start()
        try:
            yield
        finally:
            readers.close()


async def understand(
    request: Request,
    form: MultipartForm,
    upload: UploadedFile,
    options: ReadOptions,
    *,
    extends: Path | None = None,
) -> UnderstoodFile:
    """Read an uploaded file and put it and its content into the store; no row is written yet.

    Args:
        request: the request that brought the file.
        form: the form that the file is a part of.
        upload: the file.
        options: how to read it.
        extends: content of a dataset to join it with.

    Raises:
        Conflict: the file cannot be joined with that dataset. Nothing was stored.
        UnreadableFile: it cannot be used; the report says why. Nothing was stored.
        ReaderStopped: it takes too much time or memory to read. Nothing was stored.
        InsufficientStorage: there is no room for it. Nothing was stored.
        Unavailable: the reader or the store cannot be used at the moment.
    """
    if upload.size == 0:
        raise Unprocessable.at(upload.field, "the file is empty")
    readers: Readers = request.app.state.readers
    read = await readers.read(
        upload.path,
        filename=upload.filename,
        options=options,
        folder=form.folder,
        extends=extends,
    )
    joined = None
    if read.joined is not None:
        joined = JoinedContent(
            content=await _store(request, read.joined.content, read.joined.content_sha256),
            report=read.joined.report,
        )
    return UnderstoodFile(
        filename=upload.filename,
        original=await _store(request, upload.path, upload.sha256),
        content=await _store(request, read.content, read.content_sha256),
        read_options=options.canonical(),
        report=read.report,
        joined=joined,
    )


async def _store(request: Request, path: Path, sha256: str) -> StoredObject:
    """Put a file into the store.

    Files wait here, and not in the threads that handlers run in, for a store that is slow. They
    stop waiting once the store is known to be away.
    """
    store, watch = get_resources(request).store, request.app.state.store_watch

    def take() -> StoredObject:
        watch.require()
        return store.take_file(path, sha256)

    return await to_thread.run_sync(take, limiter=request.app.state.storing)


def parse_read_options(text: str | None, *, field: str = "read") -> ReadOptions:
    """Parse the options in a field of a form; an empty field gives none.

    Raises:
        Unprocessable: it is not a JSON object of known options; every wrong option is named.
    """
    if text is None or not text.strip():
        return ReadOptions()
    try:
        return ReadOptions.model_validate_json(text)
    except ValidationError as error:
        entries = error.errors(include_url=False)
        if entries[0]["type"] == "json_invalid":
            raise Unprocessable.at(
                field,
                f"is not valid JSON: {entries[0]['ctx']['error']}; a valid example: "
                '{"date": "Date", "decimal": ","}',
            ) from error
        found = invalid_fields(entries)
        places = tuple(
            FieldError(
                field=field if place.field in {None, "body"} else f"{field}.{place.field}",
                message=place.message,
            )
            for place in found.errors
        )
        detail = "; ".join(f"{place.field}: {place.message}" for place in places[:5])
        raise Unprocessable(detail, errors=places) from error
