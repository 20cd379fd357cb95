import pytest

from app.errors import Unprocessable
from app.monitoring.actuals.moments import checked_moment, moment_of


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("2017-01-03", "2017-01-03T00:00:00"),
        ("2017-01-03T00:00", "2017-01-03T00:00:00"),
        ("2017-01-03 09:30:00", "2017-01-03T09:30:00"),
        ("2017-01-03T09:30:00.25", "2017-01-03T09:30:00.250000"),
        ("2017-01-03T09:30:00+01:00", "2017-01-03T08:30:00Z"),
        ("2017-01-03T23:30:00-0500", "2017-01-04T04:30:00Z"),
        ("2017-01-03T09:30:00Z", "2017-01-03T09:30:00Z"),
    ],
)
def test_one_spelling_for_each_moment(timestamp: str, moment: str) -> None:
    assert moment_of(timestamp) == moment
    assert moment_of(moment) == moment


@pytest.mark.parametrize(
    "timestamp",
    ["", "2017-02-30", "3.1.2017", "2017-01", "20170103", "0001-01-01T00:00:00+05:00"],
)
def test_what_is_not_a_time_is_named(timestamp: str) -> None:
    with pytest.raises(Unprocessable, match=r"items\.0\.timestamp.*is not an ISO time"):
        checked_moment(timestamp, "items.0.timestamp")
