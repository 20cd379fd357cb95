"""A dataset grown by a later file: rows joined by series and time. NumPy only."""

import numpy as np
import numpy.typing as npt

from app.datasets.content import SeriesContent
from app.errors import Conflict, FieldError

_LISTED = 20  # disagreeing rows that are named
_SAME = 1e-9  # relative difference that two ways of writing a number may make


def extended(last: SeriesContent, more: SeriesContent) -> SeriesContent:
    """All rows of both, each series and time once.

    Args:
        last: the dataset that the model was trained on.
        more: the upload; columns that `last` does not have are left out.

    Raises:
        Conflict: one has no times, their times are of different forms, a column is missing, or
            rows of the same series and time say different things.
    """
    _check_alike(last, more)
    labels = tuple(dict.fromkeys((*last.labels, *more.labels)))
    codes = np.array([labels.index(label) for label in more.labels], dtype=np.int32)
    series = np.concatenate([last.series, codes[more.series]])
    names = [more.columns.index(name) for name in last.columns]
    values = np.concatenate([last.values, more.values[:, names]])  # (rows of both, columns)
    instants = np.concatenate([last.instants(), more.instants()])
    order = np.lexsort((instants, series))
    again = (np.diff(series[order]) == 0) & (np.diff(instants[order]) == 0)
    first, second = order[:-1][again], order[1:][again]
    _check_agreement(last, more, values, first, second)
    missing = np.isnan(values[first])
    values[first] = np.where(missing, values[second], values[first])
    kept = order[np.concatenate([[True], ~again])]
    offsets = None
    if last.offsets is not None and more.offsets is not None:
        offsets = np.concatenate([last.offsets, more.offsets])[kept]
    times = None
    if last.times is not None and more.times is not None:
        times = np.concatenate([last.times, more.times])[kept]
    return SeriesContent(
        columns=last.columns,
        values=values[kept],
        times=times,
        offsets=offsets,
        time_form=last.time_form,
        frequency=last.frequency or more.frequency,
        labels=labels,
        series=series[kept],
    )


def _check_alike(last: SeriesContent, more: SeriesContent) -> None:
    if last.times is None or more.times is None:
        raise Conflict("a dataset without times cannot be extended: rows are joined by their time")
    if last.time_form != more.time_form:
        raise Conflict(
            f"the model's dataset has times of the form {last.time_form}, the upload of the form "
            f"{more.time_form}; write both alike"
        )
    if (last.labels == ("",)) != (more.labels == ("",)):
        raise Conflict(
            "one of the model's dataset and the upload names its series and the other does not; "
            'say which column names them with "series" in `read`'
        )
    missing = [name for name in last.columns if name not in more.columns]
    if missing:
        raise Conflict(
            f"the upload lacks columns of the model's dataset: {', '.join(missing)}",
            errors=tuple(
                FieldError(field="file", column=name, message=f"column {name} is missing")
                for name in missing
            ),
        )


def _check_agreement(
    last: SeriesContent,
    more: SeriesContent,
    values: npt.NDArray[np.float64],
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
) -> None:
    old, new = values[first], values[second]  # (overlapping rows, columns)
    both = np.isfinite(old) & np.isfinite(new)
    apart = both & (np.abs(old - new) > _SAME * np.maximum(np.abs(old), np.abs(new)))
    if not apart.any():
        return
    errors = []
    for row, place in np.argwhere(apart)[:_LISTED]:
        where = int(second[row]) - len(last)
        label = more.labels[int(more.series[where])]
        time = more.time_iso(where)
        name = last.columns[int(place)]
        message = (
            f"{name} on {time} is {new[row, place]:g} in the upload and {old[row, place]:g} in the "
            "model's dataset"
        )
        errors.append(
            FieldError(
                field="file", column=name, message=message + (f" ({label})" if label else "")
            )
        )
    raise Conflict(
        f"{int(apart.any(axis=1).sum())} rows of the upload have a time of the model's dataset and "
        "other values; correct them, or upload a whole file without `extend`",
        errors=tuple(errors),
    )
