"""What an api process and its reader say to each other, over a pipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.errors import FieldError
from app.reading.read_options import ReadOptions


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The reader has imported what it needs."""


@dataclass(frozen=True, kw_only=True)
class ReadRequest:
    """A file to be read."""

    path: Path
    filename: str  # as the client calls it
    options: ReadOptions
    content_path: Path  # where the parsed content goes
    temporary_folder: Path  # for what the reader unpacks; removed by the api process
    extends: Path | None = None  # content of a dataset that the file is to be joined with
    joined_path: Path | None = None  # where the content of both goes


class Errand(Protocol):
    """Something else that takes pandas, scikit-learn or long; what it gives is sent back."""

    def run(self) -> Any:  # noqa: ANN401 - whatever can be sent
        """Do it.

        Raises:
            Unprocessable: it cannot be done; sent back too.
        """


@dataclass(frozen=True, kw_only=True)
class ErrandRequest:
    """An errand to be run."""

    errand: Errand
    temporary_folder: Path


@dataclass(frozen=True, kw_only=True)
class Done:
    """What the errand gave."""

    result: Any


@dataclass(frozen=True, kw_only=True)
class NotDone:
    """The errand cannot be done."""

    detail: str
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, kw_only=True)
class Understood:
    """The file was read; its content lies where the request said."""

    sha256: str  # of the content
    report: dict[str, Any]  # app.reading.report.Report, as JSON
    joined: "Understood | None" = None  # the same of the file and what it extends, if it does


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The file cannot be used."""

    detail: str
    errors: tuple[FieldError, ...]
    report: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Disagrees:
    """The file was understood, and does not go together with what it is to extend."""

    detail: str
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, kw_only=True)
class OutOfMemory:
    """Reading the file takes more memory than the reader may have."""


Request = ReadRequest | ErrandRequest
Answer = Understood | Refused | Disagrees | Done | NotDone | OutOfMemory
