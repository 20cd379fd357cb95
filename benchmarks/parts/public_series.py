"""Load public series from the shared data, if present, and M4's weekly set."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "series"
Floats = npt.NDArray[np.float64]

WEEKLY, WEEKLY_HORIZON = 52, 13  # season and horizon of M4's weekly set
NAIVE2_SMAPE, NAIVE2_MASE = 9.161, 2.777  # on it (Makridakis et al. 2020)


@dataclass(frozen=True, kw_only=True)
class Source:
    """The file of a series, and its frequency."""

    file: str
    column: str
    frequency: str  # in pandas' spelling
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
        frequency="MS",
        season=12,
        longer=0,
        horizon=18,
    ),
    Source(file="wineind.csv", column="Y", frequency="MS", season=12, longer=0, horizon=18),
    Source(file="ausbeer.csv", column="Y", frequency="QS", season=4, longer=0, horizon=8),
    Source(
        file="monthly-sunspots.csv",
        column="Sunspots",
        frequency="MS",
        season=12,
        longer=0,
        horizon=18,
    ),
    Source(
        file="australian_tourism.csv",
        column="Total",
        frequency="QS",
        season=4,
        longer=0,
        horizon=8,
    ),
    Source(
        file="temps.csv",
        column="Daily minimum temperatures",
        frequency="D",
        season=7,
        longer=365,
        horizon=14,
    ),
    Source(
        file="us_gasoline.csv",
        column="Gasoline",
        frequency="W",
        season=52,
        longer=0,
        horizon=13,
        newest_first=True,
    ),
    Source(file="taylor.csv", column="Y", frequency="30min", season=48, longer=336, horizon=48),
    Source(file="gasrate_co2.csv", column="CO2%", frequency="9s", season=1, longer=0, horizon=12),
    Source(file="ETTh1.csv", column="OT", frequency="h", season=24, longer=168, horizon=48),
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


def owa(pairs: Sequence[tuple[Floats, Floats]], forecasts: Sequence[Floats]) -> float:
    """Return M4's overall weighted average of forecasts of its weekly set; Naive2 has 1.

    Args:
        pairs: training and test part of each series.
        forecasts: of the test parts.
    """
    smape, mase = weekly_errors(pairs, forecasts)
    return (smape / NAIVE2_SMAPE + mase / NAIVE2_MASE) / 2


def weekly_errors(
    pairs: Sequence[tuple[Floats, Floats]], forecasts: Sequence[Floats]
) -> tuple[float, float]:
    """Return the mean sMAPE in %, and the mean MASE by the changes from row to row."""
    every = [(train, actual, own) for (train, actual), own in zip(pairs, forecasts, strict=True)]
    smape = [200 * np.mean(np.abs(y - f) / (np.abs(y) + np.abs(f))) for _, y, f in every]
    mase = [np.mean(np.abs(y - f)) / np.mean(np.abs(np.diff(train))) for train, y, f in every]
    return float(np.mean(smape)), float(np.mean(mase))


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
