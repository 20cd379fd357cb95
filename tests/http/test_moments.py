from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from app.http.moments import Moment

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@pytest.mark.parametrize("number", ["0.5", "1480550400", " 1e9 ", "nan", 1480550400, 0.5])
def test_a_number_is_not_a_time(number: object) -> None:
    with pytest.raises(ValidationError, match="datetime_parsing"):
        MOMENT.validate_python(number)


def test_a_number_in_json_is_not_a_time() -> None:
    with pytest.raises(ValidationError, match="datetime_parsing"):
        MOMENT.validate_json("1480550400")


def test_a_time_with_a_zone_is_one() -> None:
    assert MOMENT.validate_python("2016-12-01T01:00:00+01:00") == datetime(2016, 12, 1, tzinfo=UTC)


def test_a_time_without_a_zone_is_not_one() -> None:
    with pytest.raises(ValidationError, match="timezone_aware"):
        MOMENT.validate_python("2016-12-01T01:00:00")
