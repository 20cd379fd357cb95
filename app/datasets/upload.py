"""Stream a multipart body to files as it arrives.

Starlette's `form()` does not do: it spools to the system's temporary folder, often in memory, and
accepts any number of files of any size before a handler sees the first.
"""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from app.access.quotas import count_upload
from app.datasets.hashed_file import HashedFile
from app.datasets.upload_folder import UploadFolder
from app.errors import InvalidRequest, TooLarge, Unprocessable, UnsupportedMediaType
from app.http.caller import Caller
from app.http.dependencies import get_caller, get_resources
from app.http.large_bodies import UPLOAD
from app.http.store_watch import StoreWatch
from app.storage.resources import Resources

MAX_FIELD_BYTES = 1 << 20
MAX_FILENAME_CHARACTERS = 255
BATCH_BYTES = 1 << 18  # is parsed, hashed and written at once, in a thread
ROOM_CHECK_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class UploadedFile:
    """A file part, complete on disk."""

    field: str
    filename: str | None  # the client's name: shown, never used as a path
    path: Path
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, kw_only=True)
class MultipartForm:
    """The content of a multipart body."""

    files: dict[str, UploadedFile]
    fields: dict[str, str]
    folder: Path  # of this request; removed when it has been answered

    def file(self, name: str) -> UploadedFile:
        """Return a required file.

        Raises:
            Unprocessable: it is missing.
        """
        if name not in self.files:
            raise Unprocessable.at(
                name,
                f"is required: send the file as a part with this name (curl -F {name}=@prices.csv)",
            )
        return self.files[name]


@asynccontextmanager
async def receive_multipart(
    request: Request,
    *,
    files: Collection[str],
    fields: Collection[str] = (),
    is_stored: bool = True,
) -> AsyncIterator[MultipartForm]:
    """Receive the form of a request; its files exist inside the block and are removed after it.

    Args:
        request: its body has not been read yet.
        files: names of the parts that are written to files.
        fields: names of the parts that are short texts.
        is_stored: whether the files go to the object store; they are refused while it is away.

    Raises:
        UnsupportedMediaType: it is not multipart/form-data.
        TooLarge: it is over the limit; an announced length is checked before anything is read.
        InsufficientStorage: there is no room for it; also checked first.
        StoreUnavailable: the object store is away; also checked first.
        InvalidRequest: it is invalid or incomplete.
        TooManyRequests: the caller's key may not upload as much today.
        Unprocessable: a part has another name or is repeated, or a field is not UTF-8.
    """
    resources = get_resources(request)
    limit = resources.settings.max_upload_bytes
    caller = get_caller(request)
    boundary = _boundary(request)
    request.scope[UPLOAD] = True
    announced = request.headers.get("content-length", "0")
    size = int(announced) if announced.isdigit() else 0
    if size > limit:
        raise _too_large(limit)
    if size:
        await to_thread.run_sync(_count, resources, caller, size)
    if is_stored:
        store_watch: StoreWatch = request.app.state.store_watch
        store_watch.require()
    uploads: UploadFolder = request.app.state.uploads
    await to_thread.run_sync(uploads.require_room, size)
    async with uploads.folder() as folder:
        receiver = _Receiver(
            folder=folder,
            boundary=boundary,
            files=tuple(files),
            fields=tuple(fields),
            limit=limit,
            require_room=lambda: uploads.require_room(0),
        )
        try:
            await _receive(request, receiver)
            if not size:
                await to_thread.run_sync(_count, resources, caller, receiver.received)
            yield MultipartForm(files=receiver.files, fields=receiver.fields, folder=folder)
        finally:
            receiver.close()


def _count(resources: Resources, caller: Caller, size: int) -> None:
    with resources.sessions.begin() as session:
        count_upload(session, caller, size)


async def _receive(request: Request, receiver: "_Receiver") -> None:
    batch = bytearray()
    try:
        async for chunk in request.stream():
            batch += chunk
            if len(batch) >= BATCH_BYTES:
                await to_thread.run_sync(receiver.feed, bytes(batch))
                batch.clear()
    except ClientDisconnect as error:
        raise InvalidRequest("the connection was closed before the end of the body") from error
    await to_thread.run_sync(receiver.feed, bytes(batch))
    receiver.finish()


def _boundary(request: Request) -> bytes:
    content_type = request.headers.get("content-type")
    kind, parameters = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise UnsupportedMediaType(
            f"the content type is {content_type or 'none'}; this call reads multipart/form-data, "
            "as curl -F file=@prices.csv sends it"
        )
    if not parameters.get(b"boundary"):
        raise InvalidRequest("the content type multipart/form-data lacks its boundary")
    return parameters[b"boundary"]


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the upload is larger than {limit:,} bytes, the limit (STEPAHEAD_MAX_UPLOAD_BYTES)"
    )


@dataclass(kw_only=True)
class _Part:
    """The part that is currently being read."""

    disposition: bytes = b""
    name: str = ""
    filename: str | None = None
    text: bytearray | None = None  # of a field
    file: HashedFile | None = None
    size: int = 0


class _Receiver:
    """Receives the body in pieces; writes file parts to the folder and keeps fields."""

    def __init__(
        self,
        *,
        folder: Path,
        boundary: bytes,
        files: tuple[str, ...],
        fields: tuple[str, ...],
        limit: int,
        require_room: Callable[[], None],
    ) -> None:
        self.files: dict[str, UploadedFile] = {}
        self.fields: dict[str, str] = {}
        self._folder = folder
        self._file_names = files
        self._field_names = fields
        self._limit = limit
        self._require_room = require_room
        self.received = 0
        self._room_checked_at = 0  # bytes received
        self._complete = False
        self._part = _Part()
        self._header = bytearray()
        self._value = bytearray()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_header,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise InvalidRequest(f"the multipart boundary is not valid: {error}") from error

    def feed(self, data: bytes) -> None:
        """Accept the next piece of the body."""
        self.received += len(data)
        if self.received > self._limit:
            raise _too_large(self._limit)
        if self.received - self._room_checked_at >= ROOM_CHECK_BYTES:
            self._require_room()
            self._room_checked_at = self.received
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidRequest(f"the multipart body is not valid: {error}") from error

    def finish(self) -> None:
        """Check that the body is complete."""
        if not self._complete:
            raise InvalidRequest("the multipart body ends before its closing boundary")

    def close(self) -> None:
        """Close a file that is incomplete."""
        if self._part.file is not None:
            self._part.file.close()

    def _begin(self) -> None:
        self._part = _Part()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._part.disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._part.disposition.decode("latin-1"))
        if b"name" not in options:
            raise InvalidRequest("a part of the multipart body has no name (Content-Disposition)")
        self._part.name = name = _shown(options[b"name"])
        if name in self.files or name in self.fields:
            what = "one file at a time" if name in self.files else "give it once"
            raise Unprocessable.at(name, f"came twice; {what}")
        if name in self._file_names:
            self._part.filename = _shown(options[b"filename"]) if b"filename" in options else None
            self._part.file = HashedFile(self._folder / f"part{len(self.files)}")
        elif name in self._field_names:
            self._part.text = bytearray()
        else:
            known = ", ".join((*self._file_names, *self._field_names))
            raise Unprocessable.at(name, f"is not a known part; there are {known}")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.size += end - start
        if part.file is not None:
            part.file.write(memoryview(data)[start:end])
        elif part.text is not None:
            if part.size > MAX_FIELD_BYTES:
                raise Unprocessable.at(part.name, f"is longer than {MAX_FIELD_BYTES:,} bytes")
            part.text += data[start:end]

    def _on_part_end(self) -> None:
        part = self._part
        if part.file is not None:
            part.file.close()
            self.files[part.name] = UploadedFile(
                field=part.name,
                filename=part.filename or None,
                path=part.file.path,
                size=part.file.size,
                sha256=part.file.sha256,
            )
        elif part.text is not None:
            try:
                self.fields[part.name] = part.text.decode()
            except UnicodeDecodeError as error:
                raise Unprocessable.at(part.name, "must be text in UTF-8") from error

    def _on_end(self) -> None:
        self._complete = True


def _shown(name: bytes) -> str:
    """Clean a name from a header, so that it can be stored and shown."""
    text = name.decode("utf-8", errors="replace")
    kept = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return kept[:MAX_FILENAME_CHARACTERS]
