import tempfile
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.datasets.upload import _Receiver
from app.errors import InsufficientStorage, InvalidRequest, StepaheadError, TooLarge

BOUNDARY = b"limit"
DATA = b"Date,Open\r\n--limi\r\n2017-01-01,1\r\n--\r\n-limit\r--limit" * 3
BODY = (
    b'--limit\r\nContent-Disposition: form-data; name="read"\r\n\r\n{"kind": "text"}\r\n'
    b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\n" + DATA + b"\r\n--limit--\r\n"
)


def receiver(
    folder: str, *, limit: int = 1 << 20, require_room: Callable[[], None] = lambda: None
) -> _Receiver:
    return _Receiver(
        folder=Path(folder),
        boundary=BOUNDARY,
        files=("file",),
        fields=("read",),
        limit=limit,
        require_room=require_room,
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=30))
def test_a_body_may_come_in_any_pieces(cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        taking = receiver(folder)
        for start, end in pairwise([0, *sorted(cuts), len(BODY)]):
            taking.feed(BODY[start:end])
        taking.finish()

        file = taking.files["file"]
        assert file.path.read_bytes() == DATA
        assert (file.size, file.sha256) == (len(DATA), sha256(DATA).hexdigest())
        assert file.filename == "a.csv"
        assert taking.fields == {"read": '{"kind": "text"}'}


@settings(deadline=None)
@given(st.integers(0, len(BODY)), st.binary(max_size=40), st.integers(0, 60))
def test_a_broken_body_is_an_error_of_our_own_or_none(at: int, put: bytes, cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        taking = receiver(folder)
        try:
            taking.feed(BODY[:at] + put + BODY[at + cut :])
            taking.finish()
        except StepaheadError as error:
            assert error.status in {400, 422}  # noqa: PT017 - either outcome is correct
        finally:
            taking.close()


@pytest.mark.parametrize("missing", range(1, 12))
def test_a_body_that_was_cut_off_is_not_taken_for_whole(missing: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        taking = receiver(folder)
        taking.feed(BODY[:-2][:-missing])
        with pytest.raises(InvalidRequest, match="closing boundary"):
            taking.finish()
        taking.close()


def test_the_limit_counts_received_bytes() -> None:
    with tempfile.TemporaryDirectory() as folder:
        taking = receiver(folder, limit=len(BODY) - 1)
        taking.feed(BODY[:100])
        with pytest.raises(TooLarge, match="STEPAHEAD_MAX_UPLOAD_BYTES"):
            taking.feed(BODY[100:])
        taking.close()


def test_room_is_asked_for_again_and_again_while_a_body_comes() -> None:
    checks = 0

    def require_room() -> None:
        nonlocal checks
        checks += 1
        if checks == 3:
            raise InsufficientStorage("disk full")

    with tempfile.TemporaryDirectory() as folder:
        taking = receiver(folder, limit=1 << 30, require_room=require_room)
        taking.feed(BODY[:250])
        with pytest.raises(InsufficientStorage):
            deque(map(taking.feed, [b"0" * (1 << 20)] * 64))
        taking.close()
        assert sum(path.stat().st_size for path in Path(folder).iterdir()) < 16 << 20
