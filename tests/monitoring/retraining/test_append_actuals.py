import numpy as np
import pytest

from app.monitoring.retraining.append_actuals import as_csv, extend, last_moment
from app.reading.content import SeriesContent


def content(
    times: list[str] | None,
    *,
    frequency: str | None = "D",
    offset: int | None = None,
    labels: tuple[str, ...] = ("",),
    columns: tuple[str, ...] = ("y",),
) -> SeriesContent:
    rows = 3 if times is None else len(times)
    form = "zoned" if offset is not None else "date"
    return SeriesContent(
        columns=columns,
        values=np.arange(rows * len(columns) * len(labels), dtype=np.float64).reshape(
            -1, len(columns)
        ),
        times=None if times is None else np.array(times * len(labels), dtype="datetime64[us]"),
        offsets=None if offset is None else np.full(rows * len(labels), offset, dtype=np.int16),
        time_form=None if times is None else form,  # type: ignore[arg-type]
        frequency=frequency,
        labels=labels,
        series=np.repeat(np.arange(len(labels), dtype=np.int32), rows),
    )


DAYS = ["2026-01-01", "2026-01-02"]


def test_what_came_later_is_added_in_the_form_of_the_file() -> None:
    actuals = [(f"2026-01-0{day}T00:00:00", float(day)) for day in (1, 2, 3, 4)]
    extended = extend(content(DAYS), "y", {"": actuals})
    assert extended.rows == 2
    assert as_csv(extended.content).decode().splitlines() == [
        "time,y",
        "2026-01-01,0.0",
        "2026-01-02,1.0",
        "2026-01-03,3.0",
        "2026-01-04,4.0",
    ]


def test_each_series_gets_its_own_and_other_columns_stay_empty() -> None:
    both = content(DAYS, labels=("a", "b"), columns=("y", "x"))
    extended = extend(both, "y", {"b": [("2026-01-03T00:00:00", 9.0)]})
    assert extended.rows == 1
    assert extended.content.series.tolist() == [0, 0, 1, 1, 1]
    assert as_csv(extended.content).decode().splitlines()[-2:] == [
        "2026-01-02,b,6.0,7.0",
        "2026-01-03,b,9.0,",
    ]


def test_zoned_times_keep_the_offset_of_the_last_row() -> None:
    zoned = content(["2026-01-01T10:00", "2026-01-01T11:00"], frequency="h", offset=60)
    assert last_moment(zoned, "") == "2026-01-01T10:00:00Z"
    extended = extend(zoned, "y", {"": [("2026-01-01T11:00:00Z", 5.0)]})
    assert extended.content.row_times_iso()[-1] == "2026-01-01T12:00:00+01:00"


@pytest.mark.parametrize(
    "moment", ["2026-01-03T00:00:00Z", "2026-01-03T12:00:00", "2026-01-02T00:00:00"]
)
def test_times_of_another_form_and_earlier_ones_are_left_out(moment: str) -> None:
    assert extend(content(DAYS), "y", {"": [(moment, 1.0)]}).rows == 0


def test_it_ends_at_a_gap() -> None:
    actuals = [(f"2026-01-{day:02}T00:00:00", 1.0) for day in (3, 6, 20, 21)]
    extended = extend(content(DAYS), "y", {"": actuals})
    assert extended.content.row_times_iso()[-2:] == ["2026-01-03", "2026-01-06"]


def test_without_times_nothing_is_added() -> None:
    assert extend(content(None), "y", {"": [("2026-01-03T00:00:00", 1.0)]}).rows == 0
