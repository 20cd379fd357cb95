"""Export the log as one file, written by a separate process: `GET /predictions/export`.

Turning millions of rows into text would compete with predictions in this process, and pyarrow would
stay in its memory. Here only blocks of bytes pass, as fast as the caller accepts them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress

from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.errors import Unavailable
from app.predictions.logged.schemas import ExportFormat, ExportQuery
from app.process.programs import python_module

MEDIA_TYPES: Mapping[ExportFormat, str] = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
CHILD = python_module("app.predictions.logged.export_child")
BLOCK_BYTES = 1 << 16
# Each keeps a transaction open for as long as its caller takes.
MAX_AT_ONCE = 2
FIRST_BLOCK_SECONDS = 60.0


class ExportRequest(BaseModel):
    """The child's order, as JSON on its standard input."""

    database_url: str
    query: ExportQuery


class ExportBroke(RuntimeError):
    """The child ended in the middle; the answer breaks off, so that it is seen as incomplete."""


class Exports:
    """The running exports of this process."""

    def __init__(self, database_url: str, *, command: Sequence[str] = CHILD) -> None:
        """Start without exports; `command` is replaced in tests."""
        self._database_url = database_url
        self._command = command
        self._under_way: set[Export] = set()

    async def start(self, query: ExportQuery) -> "Export":
        """Start an export, and return it when its first bytes have arrived.

        Raises:
            Unavailable: too many are running, or the log cannot be read.
        """
        if len(self._under_way) >= MAX_AT_ONCE:
            raise Unavailable(
                f"{MAX_AT_ONCE} exports are under way, and no more are made at once; try again"
            )
        request = ExportRequest(database_url=self._database_url, query=query)
        export = Export(self._under_way.discard)
        self._under_way.add(export)
        try:
            await export.begin(self._command, request.model_dump_json(by_alias=True).encode())
        except BaseException:
            await export.end()
            raise
        return export

    async def close(self) -> None:
        """End the running exports."""
        for export in tuple(self._under_way):
            await export.end()


class Export:
    """A running export."""

    def __init__(self, ended: Callable[["Export"], None]) -> None:
        self._ended = ended
        self._first = b""
        self._child: asyncio.subprocess.Process | None = None
        self._output = asyncio.StreamReader()

    async def begin(self, command: Sequence[str], request: bytes) -> None:
        """Start the child and wait for its first bytes.

        Raises:
            Unavailable: none arrived.
        """
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        self._child = child
        if child.stdin is None or child.stdout is None:
            raise TypeError("the child was started with pipes")
        self._output = child.stdout
        with suppress(BrokenPipeError, ConnectionResetError):
            child.stdin.write(request)
            await child.stdin.drain()
            child.stdin.close()
        try:
            async with asyncio.timeout(FIRST_BLOCK_SECONDS):
                self._first = await self._output.read(BLOCK_BYTES)
        except TimeoutError as error:
            raise Unavailable("the export did not begin in time; try again") from error
        if not self._first:
            raise Unavailable("the log cannot be exported now; try again")

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield the file.

        Raises:
            ExportBroke: it is incomplete.
        """
        block = self._first
        while block:
            yield block
            block = await self._output.read(BLOCK_BYTES)
        if self._child is not None and await self._child.wait() != 0:
            raise ExportBroke(f"the export ended with {self._child.returncode}")

    async def end(self) -> None:
        """End the child, even in the middle, because the caller may have disconnected."""
        self._ended(self)
        if self._child is not None:
            with suppress(ProcessLookupError):
                self._child.kill()
            await asyncio.shield(self._rest(self._child))

    async def _rest(self, child: asyncio.subprocess.Process) -> None:
        """Read the rest of the pipe, which closes it, and wait for the child's end."""
        while await self._output.read(BLOCK_BYTES):
            pass
        await child.wait()


class ExportAnswer(StreamingResponse):
    """An export as an answer; whatever happens to it, the child ends with it."""

    def __init__(self, export: Export, file_format: ExportFormat) -> None:
        super().__init__(
            export.blocks(),
            media_type=MEDIA_TYPES[file_format],
            headers={"Content-Disposition": f'attachment; filename="predictions.{file_format}"'},
        )
        self._export = export

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._export.end()
