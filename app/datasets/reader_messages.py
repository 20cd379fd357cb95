"""The messages between an api process and its readers, sent through a pipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.errors import FieldError
from app.reading.read_options import ReadOptions


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one request. The kernel enforces all except `unpacked_bytes`."""

    unpacked_bytes: int  # how large a packed file may declare its content to be
    memory_bytes: int  # in addition to the memory of an idle reader
    cpu_seconds: int
    file_bytes: int  # size of a file that the reader writes


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The reader has imported its libraries."""


@dataclass(frozen=True, kw_only=True)
class ReadRequest:
    """A file to read."""

    path: Path
    filename: str  # the client's name for the file
    options: ReadOptions
    content_path: Path  # where the reader writes the parsed content
    temporary_folder: Path  # for files that the reader unpacks; the api process removes it
    extends: Path | None = None  # content of a dataset to join the file with
    joined_path: Path | None = None  # where the reader writes the joined content


class Errand(Protocol):
    """Another task that needs pandas, scikit-learn or a lot of time; its result is sent back."""

    def run(self) -> Any:  # noqa: ANN401 - any result that can be pickled
        """Run the task.

        Raises:
            Unprocessable: the task cannot be done; the reader sends the error back.
        """


@dataclass(frozen=True, kw_only=True)
class ErrandRequest:
    """An errand to run."""

    errand: Errand
    temporary_folder: Path


@dataclass(frozen=True, kw_only=True)
class Done:
    """The result of an errand."""

    result: Any


@dataclass(frozen=True, kw_only=True)
class NotDone:
    """The errand cannot be done."""

    detail: str
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, kw_only=True)
class Understood:
    """The file was read; its content is in the file named in the request."""

    sha256: str  # of the content
    report: dict[str, Any]  # app.reading.report.Report, as JSON
    joined: "Understood | None" = None  # the file joined with the dataset that it extends


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The file cannot be used."""

    detail: str
    errors: tuple[FieldError, ...]
    report: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Disagrees:
    """The file was read, but cannot be joined with the dataset that it should extend."""

    detail: str
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, kw_only=True)
class TooHeavy:
    """The file unpacks to more than the limit."""

    unpacked_bytes: int | None  # the declared size; None: the file unpacks to more than it declares


@dataclass(frozen=True, kw_only=True)
class OutOfMemory:
    """The request needs more memory than its limit."""


@dataclass(frozen=True, kw_only=True)
class DiskFull:
    """There was no room for a file that the reader writes."""


Request = ReadRequest | ErrandRequest


@dataclass(frozen=True, kw_only=True)
class Order:
    """A request and its limits."""

    request: Request
    limits: Limits


Stopped = TooHeavy | OutOfMemory | DiskFull  # the request was stopped by one of its limits
Answer = Understood | Refused | Disagrees | Done | NotDone | Stopped
