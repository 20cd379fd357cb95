"""Define the object store's errors, and translate those of obstore.

StoreUnavailable        503  the store does not answer, or answers with an error ├──
StoreMisconfigured  503  no such bucket, credentials refused, plain http not allowed └── StoreFull
507  no room ObjectLost              500  the store answers, but a file is not what was stored ├──
ObjectMissing └── ObjectDamaged
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from obstore.exceptions import BaseError

from app.errors import InsufficientStorage, Internal, Unavailable
from app.process.disk import FULL

RETRY_SECONDS = 5
FROM_BACKUP = "put it back from a backup"
FULL_REASON = "disk full; nothing was stored, try again when space has been freed"
# How obstore ends a message about an operating-system error.
SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|bucket does not exist")


class StoreUnavailable(Unavailable):
    """The object store cannot be reached, read or written.

    Args:
        reason: in a few words, without addresses or keys: "it does not answer".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the object store cannot be used at the moment: {reason}",
            retry_after_seconds=RETRY_SECONDS,
        )
        self.reason = reason

    def again(self) -> "StoreUnavailable":
        """Return a copy of the error, to be raised for another request."""
        return type(self)(self.reason)


class StoreMisconfigured(StoreUnavailable):
    """The object store cannot be used until its settings or this service's are changed."""


class StoreFull(StoreUnavailable):
    """The object store is full; it accepts objects again when there is room."""

    status, title, slug = (
        InsufficientStorage.status,
        InsufficientStorage.title,
        InsufficientStorage.slug,
    )

    def __init__(self, reason: str = FULL_REASON) -> None:
        super().__init__(reason)


class ObjectLost(Internal):
    """A stored file is missing or damaged.

    Args:
        sha256: of what was stored.
        fault: what is wrong, to be followed by "the object store": "is missing from".
        what: the file, for example "model.onnx of version 3 of 'prices'".
        mend: what to do about it.
    """

    title, slug = "Stored file lost", "stored-file-lost"

    def __init__(
        self, sha256: str, fault: str, *, what: str = "a file", mend: str = FROM_BACKUP
    ) -> None:
        super().__init__(f"{what} {fault} the object store; {mend}")
        self.sha256 = sha256
        self.fault = fault

    def __str__(self) -> str:
        """Return the message with the key of the file, for the log."""
        return f"{self.detail} (sha256 {self.sha256})"

    def named(self, what: str, mend: str) -> Self:
        """Return a copy of the error that names the file."""
        return type(self)(self.sha256, self.fault, what=what, mend=mend)


class ObjectMissing(ObjectLost):
    """Nothing is stored under this sha256."""


class ObjectDamaged(ObjectLost):
    """The bytes stored under a sha256 have a different sha256."""


@contextmanager
def naming(what: str, mend: str = FROM_BACKUP) -> Iterator[None]:
    """Name the file that is read inside the block if it turns out to be lost."""
    try:
        yield
    except ObjectLost as lost:
        raise lost.named(what, mend) from lost


# Parts of obstore's messages and their meaning; the first match counts.
SIGNS: tuple[tuple[str, type[StoreUnavailable], str], ...] = (
    # The machine's own service of credentials, which is asked if the environment has none.
    (r"//169\.254\.", StoreMisconfigured, "there are no credentials for it"),
    ("status code: 404", StoreMisconfigured, "there is no bucket or container of that name"),
    ("status code: 40[13]", StoreMisconfigured, "it refuses the credentials"),
    ("status code: ", StoreUnavailable, "it answers with an error"),
    (
        "builder error",  # a request to http://
        StoreMisconfigured,
        "its endpoint is plain http, which has to be allowed: set AWS_ALLOW_HTTP=true",
    ),
    (
        "incorrectly configured region",
        StoreMisconfigured,
        "it is in another region: set AWS_REGION",
    ),
    ("error sending request|body error|timed out", StoreUnavailable, "it does not answer"),
)


def is_without_bucket(error: BaseError | OSError) -> bool:
    """Return whether the bucket is missing, rather than the object."""
    return NO_BUCKET.search(str(error)) is not None


def store_error(error: BaseError | OSError) -> StoreUnavailable:
    """Return the error for an operation that failed."""
    text = str(error)
    system = SYSTEM_ERROR.search(text)
    number = error.errno if isinstance(error, OSError) else None
    if number is None and system is not None:
        number = int(system[1])
    if number is not None:
        return StoreFull() if number in FULL else StoreUnavailable(os.strerror(number))
    for sign, kind, reason in SIGNS:
        if re.search(sign, text):
            return kind(reason)
    return StoreUnavailable("its answer cannot be understood")
