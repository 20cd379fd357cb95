import errno
from pathlib import Path

import pytest

from app.storage.embedded import (
    DataDirectoryForbidden,
    DiskFull,
    EmbeddedPostgresError,
    PathTooLong,
    StartFailed,
)
from app.storage.embedded.errors import explained, failure


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EACCES, DataDirectoryForbidden),
        (errno.EROFS, DataDirectoryForbidden),
        (errno.ENAMETOOLONG, PathTooLong),
        (errno.EIO, EmbeddedPostgresError),
    ],
)
def test_a_system_error_is_reported_with_action_and_place(
    number: int, expected: type[EmbeddedPostgresError]
) -> None:
    with (
        pytest.raises(expected, match="cannot write: /some/file") as caught,
        explained("write", Path("/some")),
    ):
        raise OSError(number, "reason", "/some/file")
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("PANIC:  could not write: No space left on device", DiskFull),
        ("FATAL:  could not open file: Permission denied", DataDirectoryForbidden),
        ("FATAL:  something else", StartFailed),
        ("", StartFailed),
    ],
)
def test_the_output_of_postgresql_decides_the_error(
    output: str, expected: type[EmbeddedPostgresError]
) -> None:
    error = failure("start PostgreSQL", Path("/data"), output)
    assert type(error) is expected
    assert (output or "(nothing)") in str(error)
