"""The chapter's stock model by hand, and what its plot hides.

    python -m examples.stock [PRICES.csv [NEXT.csv]] [--column Open] [--picture stock.svg]

LSTM(4) with sigmoid, one price in, min-max scaling, trained on PRICES and judged on the next days
(NEXT, or the last fifth of PRICES). Without a file: the months of Google's price that come with
`stepahead sample google`.
"""

import argparse
import csv
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cells.losses import mean_squared_error
from app.cells.network import Network
from app.cells.optimizers import Adam
from app.datasets.samples import find_sample, rows
from app.forecasting.metrics import rmse
from app.forecasting.scaling import Affine
from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from examples.svg import Axes, Picture

Floats = NDArray[np.float64]

UNITS, EPOCHS, BATCH = 4, 200, 32  # the chapter's
HELD_OUT = 0.2
FEWEST = 10


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Forecasts of the next days, all (n,)."""

    today: Floats  # the price that each was made from
    forecast: Floats  # for the next day
    actual: Floats  # the next day's price

    @property
    def drawn(self) -> float:
        """The error as the chapter's plot shows it: tomorrow's forecast over today's price."""
        return rmse(self.today, self.forecast)

    @property
    def honest(self) -> float:
        """The error of the forecasts."""
        return rmse(self.actual, self.forecast)

    @property
    def persistence(self) -> float:
        """The error of "tomorrow equals today"."""
        return rmse(self.actual, self.today)


def judged(prices: Floats, following: Floats, *, epochs: int = EPOCHS, seed: int = 0) -> Judged:
    """Trains on prices (rows,) and forecasts each of the following (n,) from the one before it."""
    scaling = Affine.minmax(prices[:, None])
    scaled = scaling.transform(prices[:, None])  # (rows, 1)
    generator = np.random.default_rng(seed)
    network = Network.random(
        generator, cell="lstm", inputs=1, layers=(UNITS,), outputs=1, activation="sigmoid"
    )
    optimizer, count = Adam(learning_rate=0.001), len(scaled) - 1
    for _ in range(epochs):
        order = generator.permutation(count)
        for start in range(0, count, BATCH):
            now = order[start : start + BATCH]  # (batch,)
            trace = network.forward(scaled[now, None], every_step=False)  # of (batch, 1, 1)
            _, d_outputs = mean_squared_error(trace.outputs, scaled[now + 1])
            optimizer.update(network.weights(), network.backward(trace, d_outputs).weights)
    today = following[:-1]
    outputs = network.forward(scaling.transform(today[:, None])[:, None], every_step=False).outputs
    return Judged(today=today, forecast=scaling.inverse(outputs)[:, 0], actual=following[1:])


def picture(result: Judged, *, rows: int = 60) -> Picture:
    """Both alignments side by side, of the last rows at most."""
    today, forecast, actual = (
        values[-rows:] for values in (result.today, result.forecast, result.actual)
    )
    both = np.concatenate((today, forecast, actual))
    margin = 0.06 * float(np.ptp(both)) or 1.0
    drawn = Picture(960, 380, "The chapter's stock plot, and the same with the forecast in place")
    sides = (
        (70.0, "as the chapter draws it", today, result.drawn),
        (550.0, "forecast over the day it is for", actual, result.honest),
    )
    for left, name, prices, error in sides:
        axes = Axes(
            picture=drawn, left=left, top=60, width=380, height=220,
            x_range=(0, len(today) - 1),
            y_range=(float(both.min()) - margin, float(both.max()) + margin),
        )  # fmt: skip
        ticks = np.linspace(both.min(), both.max(), 4)
        axes.frame([], [(float(tick), f"{tick:.0f}") for tick in ticks])
        axes.curve(range(len(prices)), prices.tolist(), "a")
        axes.curve(range(len(forecast)), forecast.tolist(), "b")
        drawn.text(left, 30, f"{name}: RMSE {error:.2f}", kind="title")
    for left, kind, label in (
        (70, "a", "price"),
        (200, "b", "forecast"),
    ):
        drawn.line([(left, 320), (left + 30, 320)], kind)
        drawn.text(left + 38, 324, label)
    told = f'repeating the last price ("tomorrow equals today"): RMSE {result.persistence:.2f}'
    drawn.text(70, 358, told, kind="soft")
    return drawn


def prices_of(path: Path | None, column: str | None) -> Floats:
    """A column of a file, the first left out; without a file the sample's."""
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            sample = Path(folder) / "google.csv"
            with sample.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows(find_sample("google")))
            return prices_of(sample, None)
    content = read_file(path, path.name, ReadOptions(kind="series")).content
    if not isinstance(content, SeriesContent):
        raise SystemExit(f"{path} holds no series")
    if column is not None and column not in content.columns:
        raise SystemExit(f"{path} has no column {column!r}; it has {', '.join(content.columns)}")
    values = content.column(column or content.columns[0])
    return values[np.isfinite(values)]


def main(arguments: list[str]) -> None:
    """Train, judge, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prices", type=Path, nargs="?", help="a CSV to train on")
    parser.add_argument("following", type=Path, nargs="?", help="the days after it")
    parser.add_argument("--column", help="the first if left out")
    parser.add_argument("--picture", type=Path, help="where to draw both alignments")
    given = parser.parse_args(arguments)
    prices = prices_of(given.prices, given.column)
    cut = len(prices) - int(HELD_OUT * len(prices))
    following = prices[cut - 1 :]
    if given.following is not None:
        cut, following = len(prices), prices_of(given.following, given.column)
    if min(cut, len(following)) < FEWEST:
        raise SystemExit(f"{cut} and {len(following)} prices; at least {FEWEST} of each are needed")
    result = judged(prices[:cut], following)
    sys.stdout.write(
        f"{len(result.actual)} forecasts, one step ahead\n"
        f"as the chapter draws it (over the price they were made from)  RMSE {result.drawn:.2f}\n"
        f"over the price they are for                                   RMSE {result.honest:.2f}\n"
        f"repeating the last price                                      RMSE "
        f"{result.persistence:.2f}\n"
    )
    if given.picture is not None:
        given.picture.write_text(picture(result).to_svg(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
