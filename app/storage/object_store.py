"""Store files under their sha256 in a folder or in S3, GCS or Azure.

An object is written under a temporary key and then moved, so that its final key is either empty or
complete. In a folder, the object is synced to the disk before the move, and the folder after it.
obstore's own local store does not do that (seen with strace, 0.12), and a power cut could then
empty a file that a committed row refers to. The cloud stores only acknowledge what is durable.
"""

import hashlib
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
from app.storage.store_backend import RETRIES, check_folder, open_backend, open_folder
from app.storage.store_errors import (
    ObjectDamaged,
    ObjectMissing,
    StoreUnavailable,
    is_without_bucket,
    store_error,
)

OBJECTS = "objects"
INCOMING = "incoming"
PROBE = "probe"  # no object is ever stored below this
PROBE_SECONDS = 5.0
ANSWER_SECONDS = 10.0
CHUNK_BYTES = 5 << 20  # the minimum part size of S3, so that each part has the most time
MISSING = "is missing from"  # the object store
DAMAGED = "is damaged in"
SHA256 = re.compile(r"[0-9a-f]{64}")

logger = get_logger(__name__)

# Called after every request with the operation, its duration in seconds, and whether it failed.
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
    """Files under their sha256. Every method blocks; threads share instances.

    Every method notices within a few seconds if a store in the network does not answer.
    """

    # Not shown: obstore's Azure store (0.12) panics if its account comes from the environment.
    _backend: obstore.store.ObjectStore = field(repr=False)
    _prober: obstore.store.ObjectStore = field(repr=False)  # the same with shorter limits
    _folder: Path | None = None  # set if the objects are files on this machine
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
            observe: called after every request.
            answer_seconds: how long the store may leave a request unanswered.

        Raises:
            ValueError: the URL is not that of a supported store.
            OSError: the folder cannot be created.
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
            ValueError: the URL is not that of a supported store.
            OSError: the folder cannot be created.
        """
        return cls.open(
            settings.resolved_store_url,
            observe=observe,
            answer_seconds=settings.store_timeout_seconds,
        )

    def probe(self) -> None:
        """Send the store a small request with short time limits.

        Raises:
            StoreMisconfigured: the bucket does not exist, the credentials are refused, ...
            StoreFull: the disk of its folder is full.
            StoreUnavailable: it does not answer, or answers with an error.
        """
        with self._asking(PROBE):
            if self._folder is None:
                obstore.list_with_delimiter(self._prober, PROBE)
            else:
                check_folder(self._folder)

    def put_bytes(self, data: bytes) -> StoredObject:
        """Store bytes and return their object.

        Bytes that are already stored are written again. This repairs a damaged object, and keeps an
        old object without references from being swept before its new row is committed.

        Raises:
            StoreUnavailable: it could not be written; nothing was stored.
        """
        stored = StoredObject(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        with self._asking("put"), self._incoming() as temporary:
            obstore.put(self._backend, temporary, data)
            self._move(temporary, stored.sha256)
        return stored

    def put_file(self, path: Path) -> StoredObject:
        """Store a file piece by piece, so that memory does not grow with its size.

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
            # One part after another, so that each has the whole bandwidth.
            obstore.put(
                self._backend, temporary, chunks(), chunk_size=CHUNK_BYTES, max_concurrency=1
            )
            self._move(temporary, digest.hexdigest())
        return StoredObject(sha256=digest.hexdigest(), size=size)

    def take_file(self, path: Path, sha256: str) -> StoredObject:
        """Store a file that is no longer written to; the caller may then remove its own name.

        In a folder on the same file system, the file is linked instead of copied. Copying a file of
        93 MB and its content of 72 MB took an api process 0.3 s, for part of which predictions had
        to wait.

        Args:
            path: of the file.
            sha256: of the file, computed by whoever wrote it.

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
        """Return the verified bytes of an object.

        Raises:
            ObjectMissing: it does not exist.
            ObjectDamaged: its bytes have a different sha256.
            StoreUnavailable: the store could not be read.
        """
        return b"".join(self.stream(sha256))

    def fetch(self, sha256: str, to: Path) -> None:
        """Write an object to a file, which appears only when it is complete and verified.

        Raises:
            ObjectMissing: it does not exist.
            ObjectDamaged: its bytes have a different sha256.
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

        The last piece comes only after all of them have been verified. So a receiver that knows the
        size never gets a complete but wrong object.

        Raises:
            ObjectMissing: it does not exist.
            ObjectDamaged: its bytes have a different sha256.
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
        """Return whether an object is stored under this sha256, without verifying it.

        Raises:
            StoreUnavailable: the store could not be asked.
        """
        return self._last_modified(_key(sha256)) is not None

    def require(self, sha256: str) -> None:
        """Check that an object is stored under this sha256, without verifying it.

        Raises:
            ObjectMissing: it is not.
            StoreUnavailable: the store could not be asked.
        """
        if not self.exists(sha256):
            raise ObjectMissing(sha256, MISSING)

    def sweep(self, referenced: Callable[[], set[str]], older_than: timedelta) -> int:
        """Remove objects without references, and leftovers of interrupted writes.

        Args:
            referenced: returns the sha256 of every object that is still needed. It is called after
                the objects have been listed, so that it includes everything committed until then.
            older_than: younger objects are kept, because their rows may not be committed yet.

        Returns:
            The number of removed objects.

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
            # It may have been stored again since it was listed.
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
        """Measure a request, and raise our own error if the store fails."""
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
        """Yield a temporary key to write to; remove it if the block fails."""
        temporary = f"{INCOMING}/{secrets.token_hex(16)}"
        try:
            yield temporary
        except BaseError:
            # A store that has just failed would only make the caller wait; `sweep` removes the
            # rest.
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
        """Remove what killed processes left of writes to a folder; obstore does not list it."""
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
        raise ValueError(f"{sha256!r} is not a sha256: 64 lower-case hexadecimal digits")
    return f"{OBJECTS}/{sha256[:2]}/{sha256}"


def _reported(operation: str, error: BaseError | OSError) -> StoreUnavailable:
    """Log the store's error and return the error for the caller, which has fewer details."""
    problem = store_error(error)
    if operation == PROBE:  # probes log changes of state themselves
        return problem
    said = str(error).partition("\n")[0]
    logger.warning(
        "the object store failed", operation=operation, reason=problem.reason, error=said
    )
    return problem
