import numpy as np
import pytest

from app.errors import Conflict
from app.reading.content import SeriesContent
from app.reading.extend import extended


def series(
    days: list[int], values: list[float], *, label: str = "", column: str = "x"
) -> SeriesContent:
    return SeriesContent(
        columns=(column,),
        values=np.array(values)[:, None],
        times=np.array([f"2017-01-{day:02d}" for day in days], dtype="datetime64[us]"),
        offsets=None,
        time_form="date",
        frequency="D",
        labels=(label,),
        series=np.zeros(len(days), dtype=np.int32),
    )


def test_later_rows_are_added_and_an_overlap_counts_once() -> None:
    whole = extended(series([1, 2, 3], [1, 2, np.nan]), series([2, 3, 4], [2, 3, 4]))
    assert whole.column("x").tolist() == [1, 2, 3, 4]
    assert whole.row_times_iso()[-1] == "2017-01-04"


def test_an_overlap_that_disagrees_is_a_conflict_with_its_rows() -> None:
    with pytest.raises(Conflict, match="1 rows of the upload") as caught:
        extended(series([1, 2], [1, 2]), series([2, 3], [5, 6]))
    assert "x on 2017-01-02 is 5" in caught.value.errors[0].message


def test_new_series_are_added_under_their_names() -> None:
    whole = extended(series([1, 2], [1, 2], label="a"), series([1], [9], label="b"))
    assert whole.labels == ("a", "b")
    assert whole.of_series("b").column("x").tolist() == [9]


def test_other_columns_are_a_conflict() -> None:
    with pytest.raises(Conflict, match="lacks columns"):
        extended(series([1], [1]), series([2], [2], column="y"))
