import tempfile
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.datasets.upload import _Receiver
from app.errors import InvalidRequest, StepaheadError, TooLarge

BOUNDARY = b"limit"
DATA = b"Date,Open\r\n--limi\r\n2017-01-01,1\r\n--\r\n-limit\r--limit" * 3
BODY = (
    b'--limit\r\nContent-Disposition: form-data; name="read"\r\n\r\n{"kind": "text"}\r\n'
    b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\n" + DATA + b"\r\n--limit--\r\n"
)


def receiver(folder: str, *, limit: int = 1 << 20) -> _Receiver:
    return _Receiver(
        folder=Path(folder), boundary=BOUNDARY, files=("file",), fields=("read",), limit=limit
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
            assert error.status in {400, 422}  # noqa: PT017 - both ways are right
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


def test_the_limit_counts_what_came() -> None:
    with tempfile.TemporaryDirectory() as folder:
        taking = receiver(folder, limit=len(BODY) - 1)
        taking.feed(BODY[:100])
        with pytest.raises(TooLarge, match="STEPAHEAD_MAX_UPLOAD_BYTES"):
            taking.feed(BODY[100:])
        taking.close()
