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
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError

from app.config import Settings
from app.process.observability import get_logger
from app.storage.durable_files import has_linked, make_durably, sync
from app.storage.store_backend import RETRIES, open_backend, open_folder
from app.storage.store_errors import (
    ObjectDamaged,
    ObjectMissing,
    StoreMisconfigured,
    StoreUnavailable,
    is_without_bucket,
    store_error,
)

OBJECTS = "objects"
INCOMING = "incoming"
PROBE = "probe"  # nothing is ever stored below this
PROBE_SECONDS = 5.0
ANSWER_SECONDS = 10.0
CHUNK_BYTES = 5 << 20  # the least that S3 takes for a part, so that each has the longest to be sent
MISSING = "is missing from"  # the object store
DAMAGED = "is damaged in"
SHA256 = re.compile(r"[0-9a-f]{64}")

logger = get_logger(__name__)

# Told of every request: the operation, how many seconds it took, whether it failed.
Observer = Callable[[str, float, bool], None]


def _ignore(operation: str, seconds: float, failed: bool) -> None:  # noqa: FBT001 - an Observer
    del operation, seconds, failed


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """A file in the store."""

    sha256: str  # in lower-case hexadecimal; its key
    size: int  # bytes


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """Files under their sha256. Every method blocks; instances are shared between threads.

    No method takes longer than a few seconds to find out that a store in the network does not
    answer.
    """

    # Not shown: obstore's Azure store panics where its account comes from the environment (0.12).
    _backend: obstore.store.ObjectStore = field(repr=False)
    _prober: obstore.store.ObjectStore = field(repr=False)  # the same store, asked with less time
    _folder: Path | None = None  # where the objects are files of this machine
    _observe: Observer = field(default=_ignore, repr=False)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        observe: Observer = _ignore,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> "ObjectStore":
        """Open the store at a URL: file://, s3://, gs://, az:// or, for tests, memory://.

        Credentials and regions of the cloud stores come from their usual environment variables.

        Args:
            url: of the store.
            observe: is told of every request.
            answer_seconds: how long a request may stay without an answer.

        Raises:
            ValueError: the URL names no store that is known here.
            OSError: the folder cannot be made.
        """
        folder = open_folder(url)
        backend = open_backend(url, folder, answer_seconds=answer_seconds, retries=RETRIES)
        probe_seconds = min(PROBE_SECONDS, answer_seconds)
        prober = open_backend(url, folder, answer_seconds=probe_seconds, retries=0)
        return cls(_backend=backend, _prober=prober, _folder=folder, _observe=observe)

    @classmethod
    def of(cls, settings: Settings, *, observe: Observer = _ignore) -> "ObjectStore":
        """Open the store of this service.

        Raises:
            ValueError: the URL names no store that is known here.
            OSError: the folder cannot be made.
        """
        return cls.open(
            settings.resolved_store_url,
            observe=observe,
            answer_seconds=settings.store_timeout_seconds,
        )

    def probe(self) -> None:
        """Ask the store for something small, with little patience.

        Raises:
            StoreMisconfigured: there is no such bucket, the credentials are refused, ...
            StoreUnavailable: it does not answer, or with an error.
        """
        with self._asking(PROBE):
            if self._folder is None:
                obstore.list_with_delimiter(self._prober, PROBE)
            elif not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
                raise StoreMisconfigured("its folder is gone, or cannot be written by this user")

    def put_bytes(self, data: bytes) -> StoredObject:
        """Store bytes.

        Storing again what is there writes it anew: that heals a damaged object and keeps an old
        one, so far unreferenced, from being swept while its row is on the way.

        Raises:
            StoreUnavailable: it could not be written; nothing was stored.
        """
        stored = StoredObject(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        with self._asking("put"), self._incoming() as temporary:
            obstore.put(self._backend, temporary, data)
            self._move(temporary, stored.sha256)
        return stored

    def put_file(self, path: Path) -> StoredObject:
        """Store a file, in pieces: memory does not grow with it.

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

        with path.open("rb") as file, self._asking("put"), self._incoming() as temporary:
            # One part after another: each has the whole line to itself.
            obstore.put(
                self._backend, temporary, chunks(), chunk_size=CHUNK_BYTES, max_concurrency=1
            )
            self._move(temporary, digest.hexdigest())
        return StoredObject(sha256=digest.hexdigest(), size=size)

    def take_file(self, path: Path, sha256: str) -> StoredObject:
        """Store a file that nobody writes to any more; the caller may remove its own name of it.

        A folder on the same file system links to it instead of copying it. Copying 93 MB and the
        72 MB that were read from them took 0.3 s of an api process, and predictions waited for a
        part of it.

        Args:
            path: the file.
            sha256: its own, from whoever wrote it.

        Raises:
            OSError: the file cannot be read.
            StoreUnavailable: it could not be written; nothing was stored.
        """
        if self._folder is not None:
            with self._asking("put"), self._incoming() as temporary:
                if has_linked(path, self._folder / temporary):
                    self._move(temporary, sha256)
                    return StoredObject(sha256=sha256, size=path.stat().st_size)
        return self.put_file(path)

    def get(self, sha256: str) -> bytes:
        """Return the bytes of an object, verified.

        Raises:
            ObjectMissing: there is none.
            ObjectDamaged: its bytes have another sha256.
            StoreUnavailable: the store could not be read.
        """
        return b"".join(self.stream(sha256))

    def fetch(self, sha256: str, to: Path) -> None:
        """Write an object to a file, which appears only when it is complete and verified.

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
        """Yield the bytes of an object, piece by piece.

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
            logger.error("a stored object is damaged", sha256=sha256, found=digest.hexdigest())
            raise ObjectDamaged(sha256, DAMAGED)
        if held_back:
            yield held_back

    def exists(self, sha256: str) -> bool:
        """Tell whether something is stored under this sha256 (not whether it is whole).

        Raises:
            StoreUnavailable: the store could not be asked.
        """
        return self._last_modified(_key(sha256)) is not None

    def require(self, sha256: str) -> None:
        """Check that something is stored under this sha256 (not that it is whole).

        Raises:
            ObjectMissing: nothing is.
            StoreUnavailable: the store could not be asked.
        """
        if not self.exists(sha256):
            raise ObjectMissing(sha256, MISSING)

    def sweep(self, referenced: Callable[[], set[str]], older_than: timedelta) -> int:
        """Remove objects that nothing refers to, and leftovers of broken writes.

        Args:
            referenced: returns the sha256 of all that is still needed. It is called after the
                objects have been listed, so that what is committed until then counts.
            older_than: younger objects stay: their rows may be on the way.

        Returns:
            How many were removed.

        Raises:
            StoreUnavailable: the store could not be asked.
        """
        before = datetime.now(UTC) - older_than
        removed = self._sweep_staging(before)
        with self._asking("list"):
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
        with self._asking("get"):
            try:
                result = obstore.get(self._backend, _key(sha256))
            except FileNotFoundError as error:
                if is_without_bucket(error):
                    raise
                logger.error("a stored object is missing", sha256=sha256)  # noqa: TRY400 - told below
                raise ObjectMissing(sha256, MISSING) from error
            pieces = iter(result.stream(min_chunk_size=CHUNK_BYTES))
            piece = next(pieces, None)
        while piece is not None:
            yield bytes(piece)
            with self._asking("read"):
                piece = next(pieces, None)

    def _last_modified(self, key: str) -> datetime | None:
        with self._asking("head"):
            try:
                return obstore.head(self._backend, key)["last_modified"]
            except FileNotFoundError:
                return None

    @contextmanager
    def _asking(self, operation: str) -> Iterator[None]:
        """Measure a request, and raise our own error where the store fails."""
        started = time.perf_counter()
        failed = True
        try:
            yield
            failed = False
        except ObjectMissing:
            failed = False
            raise
        except (BaseError, FileNotFoundError) as error:
            raise _reported(operation, error) from error
        finally:
            self._observe(operation, time.perf_counter() - started, failed)

    @contextmanager
    def _incoming(self) -> Iterator[str]:
        """Give a key to write to, which is removed if the block fails."""
        temporary = f"{INCOMING}/{secrets.token_hex(16)}"
        try:
            yield temporary
        except BaseError:
            # A store that has just failed would only make the caller wait; `sweep` removes it.
            if self._folder is not None:
                self._delete(temporary)
            raise
        except BaseException:
            self._delete(temporary)
            raise

    def _delete(self, key: str) -> None:
        with self._asking("delete"):
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
            sync(self._folder / temporary)
            make_durably(target.parent, below=self._folder)
            obstore.rename(self._backend, temporary, key)
            sync(target.parent)
        except OSError as error:
            raise _reported("put", error) from error

    def _sweep_staging(self, before: datetime) -> int:
        """Remove what a killed process left of a write to a folder: obstore does not list it."""
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


def _reported(operation: str, error: BaseError | OSError) -> StoreUnavailable:
    """Log what the store said, and return the error for the caller, who is not told as much."""
    problem = store_error(error)
    if operation == PROBE:  # whoever probes tells of what changed
        return problem
    said = str(error).partition("\n")[0]
    logger.warning(
        "the object store failed", operation=operation, reason=problem.reason, error=said
    )
    return problem
