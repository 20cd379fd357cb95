import pytest
from sqlalchemy.orm import Session

from app.monitoring.actuals.moments import moment_of
from app.monitoring.actuals.store import Given, actuals_after, put_actuals

SECONDS = ["09:30:01.25", "09:30:02", "09:30:00", "09:30:00.5", "09:30:01", "09:29:59.75"]


def keep(session: Session, times: list[str]) -> None:
    given = [
        Given(
            model="m",
            series="s",
            moment=moment_of(time),
            timestamp=time,
            value=float(time[17:26].rstrip("Z")),
            prediction_id=None,
        )
        for time in times
    ]
    put_actuals(session, given, "explicit")


@pytest.mark.parametrize("zone", ["", "Z"])
@pytest.mark.parametrize(
    ("last", "after"),
    [
        ("2017-01-03T09:30:00", [0.5, 1.0, 1.25, 2.0]),
        ("2017-01-03T09:30:00.500000", [1.0, 1.25, 2.0]),
        ("2017-01-03T09:29:59", [59.75, 0.0, 0.5, 1.0, 1.25, 2.0]),
    ],
)
def test_what_came_after_a_moment_comes_in_order_of_time(
    session: Session, zone: str, last: str, after: list[float]
) -> None:
    keep(session, [f"2017-01-03T{second}{zone}" for second in SECONDS])
    found = actuals_after(session, "m", "s", last + zone, limit=10)
    assert [value for _, value in found] == after
    assert actuals_after(session, "m", "s", last + zone, limit=2) == found[:2]
