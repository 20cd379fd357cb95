"""Write and read the backup archive: a tar file with tables, stored objects and a list of both.

    backup.json             describes the archive: format, release, migration, time
    tables/NAME.copy.gz     the rows of a table, in PostgreSQL's COPY text format
    objects/SHA256          a file of the object store
    contents.json           last member: rows and digest of each table, size of each object

An archive is written and read from front to back, so it can be as large as the store. An archive
without `contents.json` is incomplete.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from app.storage.hashing import sha256_of
from app.validation_messages import message_of

FORMAT = 1
HEADER = "backup.json"
CONTENTS = "contents.json"
TABLES = "tables/"
TABLE_SUFFIX = ".copy.gz"
OBJECTS = "objects/"
CHUNK_BYTES = 1 << 20
COMPRESSION = 3  # of 9: the log is mostly JSON, which even a low level compresses well
MAX_DESCRIPTION_BYTES = 64 << 20  # of backup.json and contents.json


class DamagedArchive(ValueError):
    """The file is not a complete backup archive; the message says what is wrong with it."""


class Description(BaseModel):
    """Base of the two JSON files."""

    model_config = ConfigDict(frozen=True, extra="forbid")


D = TypeVar("D", bound=Description)


class Header(Description):
    """The content of backup.json."""

    format: int
    stepahead: str  # the release that wrote it
    revision: str  # the migration of its tables
    created_at: datetime
    columns: dict[str, list[str]]  # of each table, in the order of its rows


class TableEntry(Description):
    """A table in the archive."""

    rows: int
    sha256: str  # of the compressed member


class Contents(Description):
    """The content of contents.json."""

    tables: dict[str, TableEntry]
    objects: dict[str, int]  # size in bytes by sha256
    missing: dict[str, str]  # objects that rows refer to but that could not be fetched, and why


@dataclass(frozen=True, kw_only=True)
class Member:
    """One table or object while the archive is being read."""

    name: str  # of the table, or the object's sha256
    is_table: bool
    size: int  # bytes
    data: IO[bytes]  # valid until the next member is requested


@dataclass
class ArchiveWriter:
    """Writes an archive; the file appears under its name only when it is complete."""

    path: Path
    _tables: dict[str, TableEntry] = field(default_factory=dict)
    _objects: dict[str, int] = field(default_factory=dict)
    _missing: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._tar = tarfile.open(self._partial, "w", format=tarfile.PAX_FORMAT)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._tar.close()
        if kind is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink(missing_ok=True)

    def write_header(self, header: Header) -> None:
        """Write the description of the archive, its first member."""
        self._add_bytes(HEADER, header.model_dump_json(indent=1).encode())

    def add_table(self, name: str, copied: Path, rows: int) -> None:
        """Add a table from a file of compressed COPY text."""
        self._tables[name] = TableEntry(rows=rows, sha256=sha256_of(copied))
        self._tar.add(copied, f"{TABLES}{name}{TABLE_SUFFIX}", filter=_anonymous)

    def add_object(self, sha256: str, path: Path) -> None:
        """Add an object that was verified when it was fetched."""
        self._objects[sha256] = path.stat().st_size
        self._tar.add(path, OBJECTS + sha256, filter=_anonymous)

    def note_missing(self, sha256: str, reason: str) -> None:
        """Record an object that rows refer to but that could not be fetched."""
        self._missing[sha256] = reason

    def finish(self) -> Contents:
        """Write the list of all members, the last member."""
        contents = Contents(tables=self._tables, objects=self._objects, missing=self._missing)
        self._add_bytes(CONTENTS, contents.model_dump_json(indent=1).encode())
        return contents

    def _add_bytes(self, name: str, data: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        self._tar.addfile(entry, io.BytesIO(data))


class ArchiveReader:
    """Reads an archive from front to back; never extracts a member under its own name.

    Args:
        file: the archive, opened for reading; it need not be seekable.

    Raises:
        DamagedArchive: it is not a backup archive, or has an unknown format.
    """

    def __init__(self, file: IO[bytes]) -> None:
        try:
            self._tar = tarfile.open(fileobj=file, mode="r|")  # noqa: SIM115 - lives as long as we do
        except tarfile.TarError as error:
            raise DamagedArchive(f"this is not a backup archive: {error}") from error
        self._contents: Contents | None = None
        first = self._next()
        if first is None or first.name != HEADER:
            raise DamagedArchive(f"this is not a backup archive: it does not begin with {HEADER}")
        raw = self._json(first)
        if isinstance(raw, dict) and raw.get("format") != FORMAT:
            raise DamagedArchive(
                f"the archive has format {raw.get('format')!r}, but this release reads {FORMAT}; "
                "use the release that wrote it, or a newer one"
            )
        self.header = _validated(Header, raw, HEADER)

    @property
    def contents(self) -> Contents:
        """Return the list at the end of the archive, after all members have been read.

        Raises:
            DamagedArchive: the archive is incomplete.
        """
        if self._contents is None:
            raise DamagedArchive("the archive is incomplete: the list of its contents is missing")
        return self._contents

    def members(self) -> Iterator[Member]:
        """Yield every table and object in turn.

        Raises:
            DamagedArchive: a member does not have the expected form, or the archive is incomplete.
        """
        while (entry := self._next()) is not None:
            if self._contents is not None:
                raise DamagedArchive(f"{entry.name!r} follows the list of contents")
            if entry.name == CONTENTS:
                self._contents = _validated(Contents, self._json(entry), CONTENTS)
                continue
            yield self._member(entry)
        _ = self.contents

    def _member(self, entry: tarfile.TarInfo) -> Member:
        data = self._tar.extractfile(entry)
        table = entry.name.removeprefix(TABLES).removesuffix(TABLE_SUFFIX)
        if data is not None and entry.name == f"{TABLES}{table}{TABLE_SUFFIX}":
            if table not in self.header.columns:
                raise DamagedArchive(f"{entry.name!r} is not a table of {HEADER}")
            return Member(name=table, is_table=True, size=entry.size, data=data)
        if data is not None and entry.name.startswith(OBJECTS):
            sha256 = entry.name.removeprefix(OBJECTS)
            return Member(name=sha256, is_table=False, size=entry.size, data=data)
        raise DamagedArchive(f"{entry.name!r} does not belong in a backup archive")

    def _next(self) -> tarfile.TarInfo | None:
        try:
            entry = self._tar.next()
        except tarfile.TarError as error:
            raise DamagedArchive(f"the archive cannot be read any further: {error}") from error
        if entry is not None and not entry.isreg():
            raise DamagedArchive(f"{entry.name!r} is not a regular file")
        return entry

    def _json(self, entry: tarfile.TarInfo) -> object:
        data = self._tar.extractfile(entry)
        if data is None or entry.size > MAX_DESCRIPTION_BYTES:
            raise DamagedArchive(f"{entry.name} is too large to be a description")
        try:
            return json.loads(data.read())
        except (ValueError, tarfile.TarError, OSError) as error:
            raise DamagedArchive(f"{entry.name} cannot be read: {error}") from error


def copied_text(path: Path) -> gzip.GzipFile:
    """Open a table's compressed COPY text for writing."""
    return gzip.open(path, "wb", compresslevel=COMPRESSION)


def digest_of(member: Member, copy: IO[bytes] | None = None) -> str:
    """Read a member to its end and return its sha256.

    Args:
        member: the member that was yielded last.
        copy: also receives the bytes.

    Raises:
        DamagedArchive: the archive ends inside the member.
        OSError: the copy cannot be written.
    """
    digest = hashlib.sha256()
    while piece := _piece(member):
        digest.update(piece)
        if copy is not None:
            copy.write(piece)
    return digest.hexdigest()


def _piece(member: Member) -> bytes:
    try:
        return member.data.read(CHUNK_BYTES)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DamagedArchive(f"the archive is incomplete: it ends inside {member.name}") from error


def _validated(kind: type[D], raw: object, name: str) -> D:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = f"{name} does not have the expected form: {place}: {message_of(first)}"
        raise DamagedArchive(message) from error


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the owner and the time of writing from a tar entry."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    entry.mode = 0o600
    return entry
