"""`extend`: train on the model's last dataset and an upload together."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.datasets import store as datasets
from app.datasets.store import UnderstoodFile
from app.errors import Conflict, Unprocessable
from app.jobs import queue
from app.jobs.order import Order
from app.reading.read_options import ReadOptions
from app.reading.report import Report
from app.storage.tables import Dataset

# How a file is stored may differ in a later file. What it means may not.
_PACKING = {"encoding", "delimiter", "sheet", "header"}


@dataclass(frozen=True, kw_only=True)
class Extension:
    """The dataset that an upload is joined with."""

    dataset_id: UUID
    content_sha256: str
    read: ReadOptions  # of the upload


def extension_of(session: Session, order: Order) -> Extension | None:
    """Return the dataset of the model's newest training, or None if the order does not extend.

    Raises:
        Unprocessable: there is no such dataset, or it is a text.
    """
    if not order.extend:
        return None
    last = datasets.last_dataset(session, order.model)
    if last is None:
        raise Unprocessable.at(
            "extend", f"{order.model!r} has no dataset here to extend; train it on a whole file"
        )
    if last.kind != "series":
        raise Unprocessable.at(
            "extend", f"joins series by their times, but {order.model!r} is a model for texts"
        )
    return Extension(
        dataset_id=last.id,
        content_sha256=last.content_sha256,
        read=read_alike(
            ReadOptions.model_validate_json(last.read_options),
            Report.model_validate(last.report),
            order.read,
        ),
    )


def save_extended(
    session: Session, order: Order, file: UnderstoodFile, extension: Extension
) -> Dataset:
    """Store the upload and the joined dataset.

    Raises:
        Conflict: the model has a newer dataset by now, whose rows would be lost.
    """
    queue.hold_model(session, order.model)
    last = datasets.last_dataset(session, order.model)
    if last is None or last.id != extension.dataset_id:
        raise Conflict(
            f"another training of {order.model!r} was ordered meanwhile; send this one again to "
            "extend the newer dataset"
        )
    return datasets.save_joined(session, file, extends=last)


def read_alike(last: ReadOptions, report: Report, said: ReadOptions) -> ReadOptions:
    """Return how to read an upload that extends a dataset: like it, unless the call says otherwise.

    A few days in January (`01/02/2017` to `05/02/2017`) do not tell day from month. The file before
    them did.

    Args:
        last: what was fixed about the reading of the dataset.
        report: of the dataset.
        said: what this call fixes.
    """
    order = None if report.date is None else report.date.date_order
    found = {} if order is None else {"date_order": order}
    before = last.model_dump(exclude_none=True, exclude=_PACKING)
    return ReadOptions.model_validate({**found, **before, **said.model_dump(exclude_none=True)})
