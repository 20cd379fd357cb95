"""Ids: UUID version 7, made by the app, so that order of id is order of time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7

# The same ids in a form that is six times as quick to make and to write: for the hot path.
WireId = uuid_utils.UUID
new_wire_id = uuid_utils.uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> UUID:
    """A fresh id, greater than all made before in this process."""
    return uuid7()


def first_id(moment: datetime) -> UUID:
    """The smallest id of a moment: where a range of time begins in a table ordered by id.

    None is from before 1970: until then it is that of the first moment.
    """
    milliseconds = max(0, (moment - EPOCH) // timedelta(milliseconds=1))
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (0b10 << 62))


def time_of(identifier: UUID) -> datetime:
    """When an id was made, in UTC, to the millisecond."""
    return EPOCH + timedelta(milliseconds=identifier.int >> 80)
