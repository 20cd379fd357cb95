"""From an uploaded file to one that is understood and kept: read, then put into the store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import to_thread
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
from app.storage.resources import Resources


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """The upload folder and the reader of this process."""
    settings = resources.settings
    with open_upload_folder(settings) as uploads:
        limits = ReadingLimits(
            max_upload_bytes=settings.max_upload_bytes, room_bytes=uploads.room_bytes
        )
        readers = Readers(limits)
        app.state.uploads = uploads
        app.state.readers = readers
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
    """Reads an uploaded file and puts it and its content into the store; no row is written yet.

    Args:
        request: that it came with.
        form: that it is a part of.
        upload: the file.
        options: how it is to be read.
        extends: content of a dataset that it is to be joined with.

    Raises:
        Conflict: it does not go together with that dataset. Nothing was stored.
        UnreadableFile: it cannot be used; the report says why. Nothing was stored.
        ReaderStopped: the reader came to no end with it. Nothing was stored.
        Unavailable: the reader or the store does not work at the moment.
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
    store = get_resources(request).store
    joined = None
    if read.joined is not None:
        joined = JoinedContent(
            content=await to_thread.run_sync(
                store.take_file, read.joined.content, read.joined.content_sha256
            ),
            report=read.joined.report,
        )
    return UnderstoodFile(
        filename=upload.filename,
        original=await to_thread.run_sync(store.take_file, upload.path, upload.sha256),
        content=await to_thread.run_sync(store.take_file, read.content, read.content_sha256),
        read_options=options.canonical(),
        report=read.report,
        joined=joined,
    )


def parse_read_options(text: str | None, *, field: str = "read") -> ReadOptions:
    """The options in a form's field; what a form leaves empty is not given.

    Raises:
        Unprocessable: it is no JSON object of known options; every wrong one is named.
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
                f"is not valid JSON: {entries[0]['ctx']['error']}; an example that is: "
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
