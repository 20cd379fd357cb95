"""Provide real series to upload, from the installed vega-datasets package.

The package is located without importing it, because importing it loads pandas.
"""

import csv
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A series, in the form in which a new user would have it in a file."""

    name: str
    about: str
    source: str
    file: str  # path in the package
    columns: tuple[str, ...]  # in the order in which they are written; the first is the time
    read_time: Callable[[str], str]  # converts a time to ISO form
    symbol: str | None = None  # selects the rows of one share


def _month_day_year(text: str) -> str:
    """Parse `Jan 1 2000`, whatever the locale, on which strptime's %b depends."""
    month, day, year = text.split()
    number = "JanFebMarAprMayJunJulAugSepOctNovDec".index(month) // 3 + 1
    return date(int(year), number, int(day)).isoformat()


def _slashed(text: str) -> str:
    """Parse `2012/01/01` or `2010/01/01 13:00`."""
    day, _, time = text.partition(" ")
    moment = datetime.fromisoformat(f"{day.replace('/', '-')} {time or '00:00'}")
    return moment.isoformat(sep=" ", timespec="minutes") if time else moment.date().isoformat()


def _share(name: str, symbol: str, months: int) -> Sample:
    return Sample(
        name=name,
        about=f"{symbol}, share price in US dollars, {months} months to March 2010",
        source="Yahoo Finance through vega-datasets",
        file="stocks.csv",
        columns=("date", "price"),
        read_time=_month_day_year,
        symbol=symbol,
    )


NOAA = "NOAA, public domain"
BLS = "Bureau of Labor Statistics, public domain"
SAMPLES = (
    _share("apple", "AAPL", 123),
    _share("amazon", "AMZN", 123),
    _share("google", "GOOG", 68),
    _share("ibm", "IBM", 123),
    _share("microsoft", "MSFT", 123),
    Sample(
        name="seattle-weather",
        about="rain, temperatures and wind in Seattle, daily, 2012 to 2015",
        source=NOAA,
        file="seattle-weather.csv",
        columns=("date", "temp_max", "temp_min", "precipitation", "wind"),
        read_time=_slashed,
    ),
    Sample(
        name="seattle-temps",
        about="temperature in Seattle in degrees Fahrenheit, hourly, 2010",
        source=NOAA,
        file="seattle-temps.csv",
        columns=("date", "temp"),
        read_time=_slashed,
    ),
    Sample(
        name="us-employment",
        about="people employed in the United States in thousands, monthly, 2006 to 2015",
        source=BLS,
        file="us-employment.csv",
        columns=("month", "nonfarm", "private", "construction", "manufacturing", "government"),
        read_time=str,
    ),
)


class UnknownSample(LookupError):
    """There is no sample of that name; the message lists the existing names."""


def find_sample(name: str) -> Sample:
    """Return the sample of a name.

    Raises:
        UnknownSample: there is none.
    """
    for sample in SAMPLES:
        if sample.name == name:
            return sample
    names = ", ".join(sample.name for sample in SAMPLES)
    raise UnknownSample(f"there is no sample {name!r}; there are {names}")


def rows(sample: Sample) -> Iterator[list[str]]:
    """Yield the sample as CSV rows, the header first, with times in ISO form."""
    yield list(sample.columns)
    time, *others = sample.columns
    with (_package_folder() / "_data" / sample.file).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if sample.symbol is None or row["symbol"] == sample.symbol:
                yield [sample.read_time(row[time]), *(row[column] for column in others)]


def _package_folder() -> Path:
    spec = importlib.util.find_spec("vega_datasets")
    if spec is None or spec.origin is None:
        raise UnknownSample("the samples come with the package vega-datasets; it is not installed")
    return Path(spec.origin).parent
