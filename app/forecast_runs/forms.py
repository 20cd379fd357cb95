"""The forms of a run's forecasts, as clients ask for them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Form = Literal["json", "csv", "parquet"]

MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


class Row(NamedTuple):
    """A step of a series, or why the series has none."""

    series: str
    step: int | None
    time: str | None
    value: float | None
    intervals: Sequence[tuple[float, float]]  # by level
    error: str | None
