"""Train the chapter's stock model by hand and show what its plot hides.

    python -m examples.stock [PRICES.csv [NEXT.csv]] [--column Open] [--picture stock.svg]

An LSTM(4) with sigmoid reads one min-max scaled price and forecasts the next. It is trained on
PRICES and judged on the days after them: NEXT, or the last fifth of PRICES. Without a file it takes
the months of Google's price that come with `stepahead sample google`.
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

UNITS, EPOCHS, BATCH = 4, 200, 32  # as in the chapter
HELD_OUT = 0.2
FEWEST = 10


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The network and how it was trained."""

    network: Network
    scaling: Affine
    shape: tuple[int, ...]  # of the inputs: examples, steps, features
    updates: int  # of the weights, in an epoch
    loss: float  # mean squared error of the scaled prices in the last epoch


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Forecasts of the next days, (n,) each."""

    today: Floats  # the price that each forecast is made from
    forecast: Floats  # of the next day's price
    actual: Floats  # the next day's price

    @property
    def drawn(self) -> float:
        """The RMSE as the chapter's plot shows it, with tomorrow's forecast over today's price."""
        return rmse(self.today, self.forecast)

    @property
    def honest(self) -> float:
        """The RMSE of the forecasts on the days that they are for."""
        return rmse(self.actual, self.forecast)

    @property
    def persistence(self) -> float:
        """The RMSE of "tomorrow equals today"."""
        return rmse(self.actual, self.today)


def train(prices: Floats, *, epochs: int = EPOCHS, seed: int = 0) -> Trained:
    """Train on prices (rows,), each the target of the one before it."""
    scaling = Affine.minmax(prices[:, None])
    scaled = scaling.transform(prices[:, None])  # (rows, 1)
    inputs, targets = scaled[:-1, None], scaled[1:]  # (examples, 1, 1), (examples, 1)
    generator = np.random.default_rng(seed)
    network = Network.random(
        generator, cell="lstm", inputs=1, layers=(UNITS,), outputs=1, activation="sigmoid"
    )
    optimizer, loss = Adam(learning_rate=0.001), np.nan
    starts = range(0, len(inputs), BATCH)
    for _ in range(epochs):
        order = generator.permutation(len(inputs))
        total = 0.0
        for start in starts:
            batch = order[start : start + BATCH]
            trace = network.forward(inputs[batch], every_step=False)
            error, d_outputs = mean_squared_error(trace.outputs, targets[batch])
            optimizer.update(network.weights(), network.backward(trace, d_outputs).weights)
            total += error * len(batch)
        loss = total / len(inputs)
    return Trained(
        network=network, scaling=scaling, shape=inputs.shape, updates=len(starts), loss=loss
    )


def judge(trained: Trained, following: Floats) -> Judged:
    """Forecast each of the following prices (n,) from the one before it."""
    today = following[:-1]
    scaled = trained.scaling.transform(today[:, None])  # (n - 1, 1)
    outputs = trained.network.forward(scaled[:, None], every_step=False).outputs
    forecast = trained.scaling.inverse(outputs)[:, 0]
    return Judged(today=today, forecast=forecast, actual=following[1:])


def picture(result: Judged, *, rows: int = 60) -> Picture:
    """Draw both alignments side by side, for the last rows."""
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
    note = f'repeating the last price ("tomorrow equals today"): RMSE {result.persistence:.2f}'
    drawn.text(70, 358, note, kind="soft")
    return drawn


def prices_of(path: Path | None, column: str | None) -> Floats:
    """Read a column of a file, by default the first; without a file, the sample."""
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            sample = Path(folder) / "google.csv"
            with sample.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows(find_sample("google")))
            return prices_of(sample, None)
    content = read_file(path, path.name, ReadOptions(kind="series")).content
    if not isinstance(content, SeriesContent):
        raise SystemExit(f"{path} does not hold a series")
    if column is not None and column not in content.columns:
        raise SystemExit(f"{path} has no column {column!r}; it has {', '.join(content.columns)}")
    values = content.column(column or content.columns[0])
    return values[np.isfinite(values)]


def main(arguments: list[str]) -> None:
    """Train and judge the model and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prices", type=Path, nargs="?", help="a CSV to train on")
    parser.add_argument("following", type=Path, nargs="?", help="the days after it")
    parser.add_argument("--column", help="a column of the file; by default the first")
    parser.add_argument("--picture", type=Path, help="file to draw both alignments into")
    given = parser.parse_args(arguments)
    prices = prices_of(given.prices, given.column)
    cut = len(prices) - int(HELD_OUT * len(prices))
    following = prices[cut - 1 :]
    if given.following is not None:
        cut, following = len(prices), prices_of(given.following, given.column)
    if min(cut, len(following)) < FEWEST:
        raise SystemExit(f"{cut} and {len(following)} prices; at least {FEWEST} of each are needed")
    trained = train(prices[:cut])
    result = judge(trained, following)
    low, high = prices[:cut].min(), prices[:cut].max()
    sys.stdout.write(
        f"min-max scaling: {low:.2f} becomes 0, {high:.2f} becomes 1, "
        f"{following[0]:.2f} becomes {(following[0] - low) / (high - low):.4f}\n"
        f"inputs of shape {trained.shape}; {trained.updates} updates per epoch, "
        f"{EPOCHS * trained.updates} in {EPOCHS} epochs; final loss {trained.loss:.4e}\n"
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
