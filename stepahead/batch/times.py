"""Times of an Arrow column, as the service reads and writes them."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

MICROSECONDS = "datetime64[us]"


def is_steps(kind: pa.DataType) -> bool:
    """Return whether times are whole numbers, which have no frequency."""
    return bool(pa.types.is_integer(kind))


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column has strings."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_time(kind: pa.DataType) -> bool:
    """Return whether a column has times: dates, moments, ISO texts or whole numbers."""
    return bool(
        pa.types.is_timestamp(kind) or pa.types.is_date(kind) or is_text(kind) or is_steps(kind)
    )


def iso_texts(times: pa.Array) -> list[str]:
    """Return times in ISO form: dates if none of them has a time of day."""
    if is_text(times.type):
        texts: list[str] = times.to_pylist()
        return texts
    if pa.types.is_timestamp(times.type) and times.type.tz is not None:
        zoned = times.cast(pa.timestamp("us", times.type.tz), safe=False)
        return [moment.isoformat() for moment in zoned.to_pylist()]
    moments = times.to_numpy(zero_copy_only=False).astype(MICROSECONDS)
    are_dates = bool((moments == moments.astype("datetime64[D]")).all())
    found: list[str] = np.datetime_as_string(moments, unit="D" if are_dates else "us").tolist()
    return found


def from_iso(texts: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    """Return times in ISO form as a column of this type."""
    if is_text(kind):
        return pa.array(texts, kind)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        moments = [None if text is None else datetime.fromisoformat(text) for text in texts]
        return pa.array(moments, pa.timestamp("us", kind.tz)).cast(kind, safe=False)
    civil = np.array(["NaT" if text is None else text for text in texts], dtype=MICROSECONDS)
    return pa.array(civil, pa.timestamp("us")).cast(kind, safe=False)
