"""Load public series from the shared data, if present, and M4's weekly set."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "series"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Source:
    """The file of a series, and its frequency."""

    file: str
    column: str
    frequency: str
    season: int  # rows; 1: none
    longer: int  # rows in a second season; 0: none
    horizon: int
    newest_first: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicSeries:
    """A series with its frequency."""

    source: Source
    values: Floats

    @property
    def name(self) -> str:
        """File and column."""
        return f"{self.source.file.removesuffix('.csv')}, {self.source.column}"


SOURCES = (
    Source(
        file="AirPassengers.csv",
        column="#Passengers",
        frequency="monthly",
        season=12,
        longer=0,
        horizon=18,
    ),
    Source(file="wineind.csv", column="Y", frequency="monthly", season=12, longer=0, horizon=18),
    Source(file="ausbeer.csv", column="Y", frequency="quarterly", season=4, longer=0, horizon=8),
    Source(
        file="monthly-sunspots.csv",
        column="Sunspots",
        frequency="monthly",
        season=12,
        longer=0,
        horizon=18,
    ),
    Source(
        file="australian_tourism.csv",
        column="Total",
        frequency="quarterly",
        season=4,
        longer=0,
        horizon=8,
    ),
    Source(
        file="temps.csv",
        column="Daily minimum temperatures",
        frequency="daily",
        season=7,
        longer=365,
        horizon=14,
    ),
    Source(
        file="us_gasoline.csv",
        column="Gasoline",
        frequency="weekly",
        season=52,
        longer=0,
        horizon=13,
        newest_first=True,
    ),
    Source(
        file="taylor.csv", column="Y", frequency="half-hourly", season=48, longer=336, horizon=48
    ),
    Source(
        file="gasrate_co2.csv", column="CO2%", frequency="9 seconds", season=1, longer=0, horizon=12
    ),
    Source(file="ETTh1.csv", column="OT", frequency="hourly", season=24, longer=168, horizon=48),
)


def public_series() -> list[PublicSeries]:
    """Return the series that are present."""
    return [
        PublicSeries(source=source, values=_column(source))
        for source in SOURCES
        if (FOLDER / source.file).is_file()
    ]


def m4_weekly() -> list[tuple[Floats, Floats]]:
    """Return training and test part of every series of M4's weekly set, or nothing if absent."""
    paths = [FOLDER / f"m4_weekly_{part}.csv" for part in ("train", "test")]
    if not all(path.is_file() for path in paths):
        return []
    train, test = (_rows(path) for path in paths)
    return [(train[name], test[name]) for name in train]


def _column(source: Source) -> Floats:
    with (FOLDER / source.file).open(newline="", encoding="utf-8-sig") as file:
        cells = [row[source.column].strip() for row in csv.DictReader(file)]
    values = np.array([_number(cell) for cell in cells])
    values = values[::-1] if source.newest_first else values
    found: Floats = values[~np.isnan(values)]
    return found


def _number(cell: str) -> float:
    """Return a cell's number without a stray leading sign (two cells of temps.csv have one)."""
    try:
        return float(cell.lstrip("?"))
    except ValueError:
        return float("nan")


def _rows(path: Path) -> dict[str, Floats]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {row[0]: np.array([float(cell) for cell in row[1:] if cell]) for row in rows}
