"""Provide real series for the accuracy table: vega-datasets, and the chapter's if present."""

from pathlib import Path

from vega_datasets import local_data

from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from benchmarks.series import Series

CHAPTER = Path(__file__).parents[2] / "shared" / "data"
# Dataset, column, and whether there is structure to learn (see `benchmarks.series`).
VEGA = (
    ("seattle_weather", "temp_max", False),
    ("seattle_weather", "temp_min", False),
    ("seattle_weather", "wind", True),
    ("seattle_weather", "precipitation", True),
    ("seattle_temps", "temp", True),
    ("sf_temps", "temp", True),
    ("us_employment", "nonfarm", False),
    ("us_employment", "construction", False),
)
STOCKS = ("MSFT", "AMZN", "IBM", "AAPL")


def real_series() -> tuple[list[Series], list[str]]:
    """Return the series, and a line for each that is absent."""
    found = [
        Series(
            name=f"{dataset.replace('_', ' ')}, {column}",
            content=_read(Path(getattr(local_data, dataset).filepath)),
            target=column,
            structure=structure,
        )
        for dataset, column, structure in VEGA
    ]
    stocks = _read(Path(local_data.stocks.filepath))
    found += [
        Series(name=f"stocks, {label}", content=stocks.of_series(label), structure=False)
        for label in STOCKS
    ]
    prices, later = (CHAPTER / f"google_stock_{part}.csv" for part in ("train", "test"))
    if not (prices.is_file() and later.is_file()):
        return found, [f"absent: the chapter's Google prices ({prices.name}, {later.name})"]
    training = _read(prices)
    return [
        *found,
        Series(name="google", content=training, target="Open", structure=False),
        Series(
            name="google, January 2017",
            content=training,
            target="Open",
            test=_read(later),
            structure=False,
        ),
    ], []


def _read(path: Path) -> SeriesContent:
    """Read a file as the service would."""
    content = read_file(path, path.name, ReadOptions(kind="series")).content
    if not isinstance(content, SeriesContent):
        raise TypeError(f"{path.name} is no series")
    return content
