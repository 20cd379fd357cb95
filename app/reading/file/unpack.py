"""Open an uploaded file: unpack it, rewrite it in UTF-8, and recognise other kinds of files."""

import gzip
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from app.reading.file.encoding import CHUNK_BYTES, Encoding, find_encoding, transcode
from app.reading.report import FileProblem
from app.reading.vocabulary import NOTATIONS

FileFormat = Literal["text", "spreadsheet", "parquet"]
_SIGNATURES: dict[str, list[str]] = NOTATIONS["signatures"]
_PAGES: dict[str, list[str]] = NOTATIONS["pages"]
MAX_UNPACKED_BYTES = 1 << 30  # equal to the limit on uploads; files that unpack to more are refused


class UnpacksToMore(FileProblem):
    """The file unpacks to more than the limit."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that is ready for reading; its paths only exist inside `opened`."""

    path: Path  # UTF-8 text, or the bytes of a spreadsheet or Parquet file
    file_format: FileFormat
    compression: Literal["gzip", "zip"] | None
    encoding: Encoding | None  # of text
    size_bytes: int


@contextmanager
def opened(
    path: Path, *, encoding: str | None, max_unpacked_bytes: int = MAX_UNPACKED_BYTES
) -> Iterator[Source]:
    """Unpack and rewrite a file in a temporary folder, if necessary.

    Raises:
        FileProblem: it is damaged, unpacks to too much, contains several files, is not text, or is
            an image, a document or similar.
        OSError: it cannot be read, or there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="stepahead-read-") as folder:
        compression = _compression(path)
        plain = path
        if compression is not None:
            plain = Path(folder) / "unpacked"
            _unpack(path, plain, compression, max_unpacked_bytes)
        file_format = _file_format(plain)
        found = find_encoding(plain, encoding) if file_format == "text" else None
        if found is not None and (found.codec != "utf-8" or found.lone_returns):
            transcode(plain, found, Path(folder) / "text")
            plain = Path(folder) / "text"
        yield Source(
            path=plain,
            file_format=file_format,
            compression=compression,
            encoding=found,
            size_bytes=plain.stat().st_size,
        )


def _compression(path: Path) -> Literal["gzip", "zip"] | None:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start == b"PK\x03\x04" and not _is_spreadsheet(path):
        return "zip"
    return None


def _file_format(path: Path) -> FileFormat:
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
        return "spreadsheet"
    named = _named(start, _SIGNATURES)
    if named is not None and (b"\0" in start or not start.isascii() or named.endswith("document")):
        raise FileProblem(f"this is {named}, and not a table or a text")
    page = _named(start.lstrip().lower(), _PAGES)
    if page is not None:
        raise FileProblem(f"this is {page}; save the table in it as CSV or as a spreadsheet")
    return "text"


def _named(start: bytes, kinds: dict[str, list[str]]) -> str | None:
    """Return the kind of file that starts with these bytes."""
    text = start.decode("latin-1")
    return next((kind for kind, marks in kinds.items() if text.startswith(tuple(marks))), None)


def _is_spreadsheet(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if any(name.startswith("xl/") for name in names):
                return True
            return "content.xml" in names and "mimetype" in names
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return True  # whoever reads it reports the damage


def _unpack(path: Path, target: Path, compression: str, limit: int) -> None:
    try:
        if compression == "gzip":
            with gzip.open(path, "rb") as packed:
                _copy(packed, target, limit)
            return
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(archive)) as packed:
            _copy(packed, target, limit)
    except FileProblem:
        raise
    except (
        OSError,
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
        ValueError,
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the system, such as a full disk
        raise FileProblem(f"the {compression} file is broken: {error}") from error


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not member.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        raise FileProblem(
            f"the archive holds {len(members)} files; upload the one that is to be read"
        )
    return members[0]


def _copy(packed: IO[bytes] | gzip.GzipFile, target: Path, limit: int) -> None:
    written = 0
    with target.open("wb") as file:
        while data := packed.read(CHUNK_BYTES):
            written += len(data)
            if written > limit:
                raise UnpacksToMore(f"it unpacks to more than {limit:,} bytes, the limit")
            file.write(data)
