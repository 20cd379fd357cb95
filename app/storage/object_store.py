"""The object store: files under their sha256, in a folder or in S3, GCS or Azure.

An object is written under a temporary key, then moved to its place, so that a place is either empty
or complete. In a folder it is also synced to the disk before the move and its folder after it:
obstore's own local store never does (seen with strace, 0.12), and a power cut could then empty a
file that a committed row speaks of. The cloud stores acknowledge only what is durable.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, from_url

from app.errors import InsufficientStorage, Unavailable
from app.process.disk import is_full

OBJECTS = "objects"
INCOMING = "incoming"
CHUNK_BYTES = 8 << 20  # above the 5 MiB that S3 asks of a part
CONCURRENT_CHUNKS = 3
# obstore's own ten retries within three minutes would hold a caller for as long.
RETRIES = 4
PATIENCE = timedelta(seconds=20)
# How obstore ends the message of an error of the system.
SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
SHA256 = re.compile(r"[0-9a-f]{64}")


class StoreUnavailable(Unavailable):
    """The store could not be reached, read or written; the cause says why."""


class StoreFull(StoreUnavailable):
    """There is no room in the store; it takes objects again once there is."""

    status, title, slug = (
        InsufficientStorage.status,
        InsufficientStorage.title,
        InsufficientStorage.slug,
    )


class ObjectMissing(LookupError):
    """Nothing is stored under this sha256."""


class ObjectDamaged(ValueError):
    """What is stored under a sha256 has another one."""


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """A file in the store."""

    sha256: str  # in lower-case hexadecimal; its key
    size: int  # bytes


@dataclass(frozen=True)
class ObjectStore:
    """Files under their sha256. Every method blocks; instances are shared between threads."""

    # Not shown: obstore's Azure store panics where its account comes from the environment (0.12).
    _backend: obstore.store.ObjectStore = field(repr=False)
    _folder: Path | None = None  # where the objects are files of this machine

    @classmethod
    def open(cls, url: str) -> "ObjectStore":
        """The store at a URL: file://, s3://, gs://, az:// or, for tests, memory://.

        Credentials and regions of the cloud stores come from their usual environment variables.

        Raises:
            ValueError: the URL names no store that we know.
            OSError: the folder cannot be made.
        """
        parts = urlsplit(url)
        if parts.scheme == "memory":
            return cls(MemoryStore())
        if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path:
            folder = Path(unquote(parts.path))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(LocalStore(folder), folder)
        if parts.scheme in {"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"}:
            try:
                return cls(
                    from_url(url, retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE})
                )
            except BaseError as error:
                reason = str(error).splitlines()[0]
                raise ValueError(f"STEPAHEAD_STORE_URL {url!r} cannot be used: {reason}") from error
        raise ValueError(
            f"STEPAHEAD_STORE_URL must be a URL such as file:///var/lib/stepahead/store, "
            f"s3://bucket/prefix, gs://bucket/prefix or az://container/prefix; got {url!r}"
        )

    def put_bytes(self, data: bytes) -> StoredObject:
        """Stores bytes.

        Storing again what is there writes it anew: that heals a damaged object and keeps an old
        one, so far unreferenced, from being swept while its row is on the way.

        Raises:
            StoreUnavailable: it could not be written; nothing was stored.
        """
        stored = StoredObject(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        with self._incoming() as temporary:
            obstore.put(self._backend, temporary, data)
            self._move(temporary, stored.sha256)
        return stored

    def put_file(self, path: Path) -> StoredObject:
        """Stores a file, in pieces: memory does not grow with it.

        Raises:
            OSError: the file cannot be read.
            StoreUnavailable: it could not be written; nothing was stored.
        """
        digest = hashlib.sha256()
        size = 0

        def chunks() -> Iterator[bytes]:
            nonlocal size
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        with path.open("rb") as file, self._incoming() as temporary:
            obstore.put(
                self._backend,
                temporary,
                chunks(),
                chunk_size=CHUNK_BYTES,
                max_concurrency=CONCURRENT_CHUNKS,
            )
            self._move(temporary, digest.hexdigest())
        return StoredObject(sha256=digest.hexdigest(), size=size)

    def take_file(self, path: Path, sha256: str) -> StoredObject:
        """Stores a file that nobody writes to any more; the caller's name of it may go.

        A folder on the same file system takes it as it is. Copying 93 MB and the 72 that were
        read from them took 0.3 s of an api process, for a part of which predictions waited.

        Args:
            path: the file.
            sha256: its own, from whoever wrote it.

        Raises:
            OSError: the file cannot be read.
            StoreUnavailable: it could not be written; nothing was stored.
        """
        with self._incoming() as temporary:
            if self._has_linked(path, temporary):
                self._move(temporary, sha256)
                return StoredObject(sha256=sha256, size=path.stat().st_size)
        return self.put_file(path)

    def get(self, sha256: str) -> bytes:
        """The bytes of an object, verified.

        Raises:
            ObjectMissing: there is none.
            ObjectDamaged: its bytes have another sha256.
            StoreUnavailable: the store could not be read.
        """
        return b"".join(self.stream(sha256))

    def fetch(self, sha256: str, to: Path) -> None:
        """Writes an object to a file, which appears only when it is complete and verified.

        Raises:
            ObjectMissing: there is none.
            ObjectDamaged: its bytes have another sha256.
            StoreUnavailable: the store could not be read.
            OSError: the file cannot be written.
        """
        partial = to.with_name(f".{to.name}.{secrets.token_hex(8)}")
        try:
            with partial.open("wb") as file:
                for chunk in self.stream(sha256):
                    file.write(chunk)
            partial.replace(to)
        finally:
            partial.unlink(missing_ok=True)

    def stream(self, sha256: str) -> Iterator[bytes]:
        """The bytes of an object, piece by piece.

        The last piece comes only after all of them have been verified, so that whoever knows the
        size never holds a complete and wrong object.

        Raises:
            ObjectMissing: there is none.
            ObjectDamaged: its bytes have another sha256.
            StoreUnavailable: the store could not be read.
        """
        digest = hashlib.sha256()
        held_back = b""
        for chunk in self._chunks(sha256):
            if held_back:
                yield held_back
            held_back = chunk
            digest.update(chunk)
        if digest.hexdigest() != sha256:
            raise ObjectDamaged(
                f"the object {sha256} is damaged: its bytes have sha256 {digest.hexdigest()}; "
                "put the file back from a backup"
            )
        if held_back:
            yield held_back

    def exists(self, sha256: str) -> bool:
        """Whether something is stored under this sha256 (not whether it is whole).

        Raises:
            StoreUnavailable: the store could not be asked.
        """
        return self._last_modified(_key(sha256)) is not None

    def sweep(self, referenced: Callable[[], set[str]], older_than: timedelta) -> int:
        """Removes objects that nothing refers to, and leftovers of broken writes.

        Args:
            referenced: gives the sha256 of all that is still needed. It is asked after the
                objects have been listed, so that what is committed until then counts.
            older_than: younger objects stay: their rows may be on the way.

        Returns:
            How many were removed.

        Raises:
            StoreUnavailable: the store could not be asked.
        """
        before = datetime.now(UTC) - older_than
        removed = self._sweep_staging(before)
        with _unavailable_if_broken():
            old = {
                entry["path"]
                for prefix in (OBJECTS, INCOMING)
                for entries in obstore.list(self._backend, prefix, chunk_size=1000)
                for entry in entries
                if entry["last_modified"] < before
            }
        needed = {_key(sha256) for sha256 in referenced()} if old else set()
        for key in sorted(old - needed):
            # It may have been stored anew since it was listed.
            modified = self._last_modified(key)
            if modified is not None and modified < before:
                self._delete(key)
                removed += 1
        return removed

    def _chunks(self, sha256: str) -> Iterator[bytes]:
        with _unavailable_if_broken():
            try:
                result = obstore.get(self._backend, _key(sha256))
            except FileNotFoundError as error:
                raise ObjectMissing(f"the object store has no object {sha256}") from error
            for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    def _last_modified(self, key: str) -> datetime | None:
        with _unavailable_if_broken():
            try:
                return obstore.head(self._backend, key)["last_modified"]
            except FileNotFoundError:
                return None

    @contextmanager
    def _incoming(self) -> Iterator[str]:
        """A key to write to, gone at the end whatever happens."""
        temporary = f"{INCOMING}/{secrets.token_hex(16)}"
        with _unavailable_if_broken():
            try:
                yield temporary
            except BaseException:
                self._delete(temporary)
                raise

    def _has_linked(self, path: Path, temporary: str) -> bool:
        if self._folder is None:
            return False
        target = self._folder / temporary
        try:
            target.parent.mkdir(exist_ok=True)
            target.hardlink_to(path)
        except OSError:  # mostly another file system; of all else, copying it will tell
            return False
        return True

    def _delete(self, key: str) -> None:
        with _unavailable_if_broken():
            try:
                obstore.delete(self._backend, key)
            except FileNotFoundError:
                return

    def _move(self, temporary: str, sha256: str) -> None:
        key = _key(sha256)
        if self._folder is None:
            obstore.rename(self._backend, temporary, key)
            return
        target = self._folder / key
        try:
            _sync(self._folder / temporary)
            _make_durably(target.parent, below=self._folder)
            obstore.rename(self._backend, temporary, key)
            _sync(target.parent)
        except OSError as error:
            raise _unavailable(error) from error

    def _sweep_staging(self, before: datetime) -> int:
        """Removes what a killed process left of a write to a folder: obstore does not list it."""
        if self._folder is None:
            return 0
        removed = 0
        for path in (self._folder / INCOMING).glob("*#*"):
            with suppress(FileNotFoundError):  # its writer has just moved it
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    removed += 1
        return removed


def _key(sha256: str) -> str:
    if not SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is no sha256: 64 lower-case hexadecimal digits")
    return f"{OBJECTS}/{sha256[:2]}/{sha256}"


@contextmanager
def _unavailable_if_broken() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise _unavailable(error) from error


def _unavailable(error: BaseError | OSError) -> StoreUnavailable:
    """Return the error for what the store could not do."""
    number = SYSTEM_ERROR.search(str(error))
    system = error if isinstance(error, OSError) else OSError(int(number[1]) if number else 0, "")
    if is_full(system):
        return StoreFull(
            "disk full: there is no room in the object store; nothing was stored. Try again when "
            "space was freed",
            retry_after_seconds=30,
        )
    return StoreUnavailable("The object store cannot be used at the moment.", retry_after_seconds=5)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_durably(folder: Path, *, below: Path) -> None:
    """Makes a folder and its parents; a power cut afterwards leaves them there."""
    if folder == below or folder.is_dir():
        return
    _make_durably(folder.parent, below=below)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)
