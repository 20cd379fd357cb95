"""Preview a dataset: a column of a series, thinned for drawing, or the beginning of a text."""

from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from app.datasets.store import SHOWN
from app.errors import Unprocessable
from app.reading.content import DatasetContent, SeriesContent

MOST_POINTS = 2000
TEXT_CHARACTERS = 2000


class Preview(BaseModel):
    """A preview of a dataset."""

    column: Annotated[str | None, Field(description="the column shown; null: a text")] = None
    series: Annotated[str | None, Field(description="the series shown, if there are several")] = (
        None
    )
    rows: Annotated[int, Field(description="rows of the series, or lines of the text")]
    times: Annotated[list[str] | None, Field(description="as in the file")] = None
    values: Annotated[
        list[float | None],
        Field(description="of a long series, the extremes of each section; null: missing"),
    ] = []
    text: Annotated[str | None, Field(description="the beginning of a text")] = None

    @classmethod
    def at(
        cls,
        content: DatasetContent,
        *,
        column: str | None,
        series: str | None,
        points: int,
        last: int | None = None,
    ) -> Self:
        """Preview one column of one series.

        Args:
            content: of the dataset.
            column: None: the first.
            series: None: the first.
            points: maximum number of values.
            last: this many rows from the end, without thinning; None: all rows, thinned.

        Raises:
            Unprocessable: there is no such column or series.
        """
        if not isinstance(content, SeriesContent):
            return cls(rows=content.lines, text=content.text[:TEXT_CHARACTERS])
        shown = _known("column", column, content.columns)
        label = _known("series", series, content.labels)
        one = content.of_series(label)
        values = one.column(shown)
        rows = extremes(values, points)
        if last is not None:
            rows = list(range(max(0, len(values) - last), len(values)))
        times = one.row_times_iso()
        return cls(
            column=shown,
            series=label or None,
            rows=len(one),
            times=[times[row] for row in rows] or None if times else None,
            values=[float(values[row]) if np.isfinite(values[row]) else None for row in rows],
        )


def extremes(values: npt.NDArray[np.float64], points: int) -> list[int]:
    """Return at most `points` rows that look like all of them: the extremes of each section.

    The first and the last row are always included.
    """
    if len(values) <= points:
        return list(range(len(values)))
    chosen = {0, len(values) - 1}
    for stretch in np.array_split(np.arange(len(values)), max(1, points // 2 - 1)):
        known = stretch[np.isfinite(values[stretch])]
        if len(known):
            chosen |= {int(known[values[known].argmin()]), int(known[values[known].argmax()])}
    return sorted(chosen)


def _known(field: str, name: str | None, names: tuple[str, ...]) -> str:
    if name is None:
        return names[0]
    if name not in names:
        raise Unprocessable.at(
            field, f"{name[:100]!r} is not in this dataset; it has {', '.join(names[:SHOWN])}"
        )
    return name
