"""Write and read small files, and show what their tests compare."""

import datetime as dt
import math
from collections.abc import Callable, Iterable
from pathlib import Path

from app.reading.content import SeriesContent
from app.reading.decisions import Decision
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from app.reading.report import Report, UnreadableFile

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
START = dt.date(2021, 1, 4)  # a Monday


def wave(row: int, base: float = 100.0) -> float:
    """Return a series that looks measured: a season and a trend, two decimals, no repeats."""
    return round(base + 10 * math.sin(row / 6) + row * 0.07 + row * row % 7 / 10, 2)


def day(row: int, start: dt.date = START, step: int = 1) -> dt.date:
    return start + dt.timedelta(days=row * step)


def hour(row: int, start: dt.date = START) -> dt.datetime:
    return dt.datetime.combine(start, dt.time()) + dt.timedelta(hours=row)


def month(row: int, year: int = 2012) -> dt.date:
    return dt.date(year + row // 12, row % 12 + 1, 1)


def lines(header: str, row: Callable[[int], str], rows: Iterable[int]) -> str:
    return "\n".join([header, *(row(at) for at in rows)]) + "\n"


class Read:
    """A file as read."""

    def __init__(
        self, folder: Path, text: str | bytes, name: str = "f.csv", **told: str | list[str]
    ) -> None:
        path = folder / "upload"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        result = read_file(path, name, ReadOptions.model_validate(told))
        assert isinstance(result.content, SeriesContent)
        self.content: SeriesContent = result.content
        self.report: Report = result.report

    @property
    def span(self) -> tuple[str | None, str | None, str | None]:
        """Return first and last time, and the frequency."""
        return self.report.start, self.report.end, self.report.frequency

    def decision(self, about: str) -> Decision:
        found = self.report.decision(about)
        assert found is not None, about
        return found

    @property
    def is_sure(self) -> bool:
        return all(entry.certainty != "doubtful" for entry in self.report.decisions)


def refusal(
    folder: Path, text: str | bytes, name: str = "f.csv", **told: str | list[str]
) -> UnreadableFile:
    try:
        Read(folder, text, name, **told)
    except UnreadableFile as error:
        return error
    raise AssertionError("it was read")
