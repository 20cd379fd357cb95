"""One version as one file: exported from one registry, imported into another.

The archive is a tar file. It begins with `version.json`, which names the version and lists its
files with their sha256 and sizes. The files of the artifact follow under their names.
"""

import asyncio
import json
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.artifact.files import ARTIFACT_FILES, file_of
from app.errors import Unavailable, Unprocessable
from app.storage.hashing import sha256_of
from app.storage.object_store import SHA256, ObjectStore
from app.storage.store_errors import naming
from app.storage.tables import Version

DESCRIPTION = "version.json"
MAX_DESCRIPTION_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20
END_BYTES = 2 * tarfile.BLOCKSIZE  # of zeros, which end a tar file
CHECK_SECONDS = 180.0
CHECKER = (sys.executable, "-m", "app.artifact.untrusted")


class FileEntry(BaseModel):
    """A file of the artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern=SHA256.pattern)]
    size: Annotated[int, Field(ge=0)]


class Description(BaseModel):
    """The content of version.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    model: str
    number: int
    files: dict[str, FileEntry]


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """An archive's files in a folder, complete and with the listed bytes."""

    model: str
    number: int
    folder: Path
    files: Mapping[str, FileEntry]


def archive_of(version: Version, store: ObjectStore) -> tuple[int, Iterator[bytes]]:
    """Return an archive's size in bytes and its pieces.

    Raises:
        ObjectMissing: a file is missing.
        ObjectDamaged: a file is damaged; found while the pieces are taken, so that the archive
            ends early.
    """
    files = {name: FileEntry(**entry) for name, entry in sorted(version.files.items())}
    for name, entry in files.items():
        with naming(file_of(version.model, version.number, name)):
            store.require(entry.sha256)
    described = Description(format=1, model=version.model, number=version.number, files=files)
    head = described.model_dump_json(indent=1).encode()
    sizes = [len(head), *(entry.size for entry in files.values())]
    total = sum(tarfile.BLOCKSIZE + size + _padding(size) for size in sizes) + END_BYTES

    def pieces() -> Iterator[bytes]:
        yield _entry(DESCRIPTION, len(head)) + head + bytes(_padding(len(head)))
        for name, entry in files.items():
            yield _entry(name, entry.size)
            with naming(file_of(version.model, version.number, name)):
                yield from store.stream(entry.sha256)
            yield bytes(_padding(entry.size))
        yield bytes(END_BYTES)

    return total, pieces()


def _padding(size: int) -> int:
    return -size % tarfile.BLOCKSIZE


def _entry(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.USTAR_FORMAT)


def unpack(archive: Path, folder: Path) -> Unpacked:
    """Unpack an archive; only names of an artifact's files are written.

    Args:
        archive: the file as it was uploaded.
        folder: created, for its files only.

    Raises:
        Unprocessable: it is not the archive of a version, or a file differs from its listing.
    """
    folder.mkdir()
    try:
        with tarfile.open(archive, mode="r:") as tar:
            described = _described(tar)
            for name, entry in described.files.items():
                _take(tar, name, entry, folder)
            if tar.next() is not None:
                raise _refused("holds more than the files it lists")
    except tarfile.TarError as error:
        raise _refused(f"is not an archive of a version: {error}") from error
    return Unpacked(
        model=described.model, number=described.number, folder=folder, files=described.files
    )


def _described(tar: tarfile.TarFile) -> Description:
    first = tar.next()
    data = _data(tar, first)
    if first is None or data is None or first.name != DESCRIPTION:
        raise _refused(f"is not an archive of a version: it does not begin with {DESCRIPTION}")
    if first.size > MAX_DESCRIPTION_BYTES:
        raise _refused(f"has a {DESCRIPTION} of {first.size:,} bytes")
    try:
        described = Description.model_validate(json.loads(data.read()))
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise _refused(f"has a {DESCRIPTION} with a wrong {place}: {wrong['msg']}") from error
    except ValueError as error:
        raise _refused(f"has a {DESCRIPTION} that is not JSON: {error}") from error
    if described.format != 1:
        raise _refused(f"has format {described.format}, and this release reads 1")
    unknown = set(described.files) - set(ARTIFACT_FILES)
    if unknown:
        raise _refused(f"lists {min(unknown)[:80]!r}, which is not a file of an artifact")
    return described


def _data(tar: tarfile.TarFile, member: tarfile.TarInfo | None) -> IO[bytes] | None:
    """Return a plain file's data, or None for a link, a device or a folder."""
    return tar.extractfile(member) if member is not None and member.isreg() else None


def _take(tar: tarfile.TarFile, name: str, entry: FileEntry, folder: Path) -> None:
    member = tar.next()
    data = _data(tar, member)
    if member is None or data is None or member.name != name:
        found = "its end" if member is None else repr(member.name[:80])
        raise _refused(f"holds {found} where {name} is listed")
    if member.size != entry.size:
        raise _refused(f"holds {member.size:,} bytes of {name}, but {entry.size:,} are listed")
    path = folder / name
    with path.open("xb") as file:
        while chunk := data.read(CHUNK_BYTES):
            file.write(chunk)
    if sha256_of(path) != entry.sha256:
        raise _refused(f"holds a {name} that differs from its sha256: it was changed or damaged")


async def check(unpacked: Unpacked) -> None:
    """Prove in a separate process that the files are an artifact and nothing more.

    Raises:
        Unprocessable: they are not.
        Unavailable: the check did not finish in time.
    """
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *CHECKER, str(unpacked.folder), stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            printed, _ = await child.communicate()
    except TimeoutError as error:
        raise Unavailable("the archive could not be checked in time; try again") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise _refused("crashed the process that checked it; it is not imported")
    wrong = json.loads(printed)["error"]
    if wrong is not None:
        raise _refused(f"is not an artifact: {wrong}")


def _refused(reason: str) -> Unprocessable:
    return Unprocessable.at("file", reason)
