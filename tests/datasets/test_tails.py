import numpy as np

from app.datasets.tails import TailName, Tails, size_bytes
from app.reading.content import SeriesContent


def tail(value: float) -> SeriesContent:
    return SeriesContent(
        columns=("x",),
        values=np.full((10, 1), value),
        times=None,
        offsets=None,
        time_form=None,
        frequency=None,
        labels=("",),
        series=np.zeros(10, dtype=np.int32),
    )


def name(content: str, rows: int = 10) -> TailName:
    return TailName(content_sha256=content, columns=("x",), rows=rows)


def test_what_was_kept_is_there_under_its_own_name_alone() -> None:
    tails = Tails()
    tails.keep(name("a"), tail(1))

    assert tails.get(name("a")) == tail(1)
    assert tails.get(name("a", rows=9)) is None
    assert tails.get(name("b")) is None


def test_beyond_the_limit_what_was_longest_not_asked_for_goes() -> None:
    tails = Tails(max_bytes=2 * size_bytes(tail(0)))
    tails.keep(name("a"), tail(1))
    tails.keep(name("b"), tail(2))
    tails.get(name("a"))

    tails.keep(name("c"), tail(3))

    assert tails.get(name("b")) is None
    assert tails.get(name("a")) == tail(1)
    assert tails.get(name("c")) == tail(3)


def test_what_is_larger_than_the_limit_is_not_kept_and_drives_nothing_out() -> None:
    tails = Tails(max_bytes=size_bytes(tail(0)))
    tails.keep(name("a"), tail(1))
    large = SeriesContent(
        columns=("x",),
        values=np.zeros((99, 1)),
        times=None,
        offsets=None,
        time_form=None,
        frequency=None,
        labels=("",),
        series=np.zeros(99, dtype=np.int32),
    )

    tails.keep(name("b", rows=99), large)

    assert tails.get(name("b", rows=99)) is None
    assert tails.get(name("a")) == tail(1)
