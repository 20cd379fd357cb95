"""Measure the default recipe: RMSE beside simple forecasts, on series of different nature.

    python -m benchmarks.accuracy [--quick] [--only NAME] [--preset chapter]

The preset is trained on each series without changes and judged on its last fifth (or its own test
set). `--quick` takes the series with fewer than 150 rows, `--only` those whose name contains NAME.
The exit code is 1 if a demand is not met. The simple forecasts are persistence, drift, the last
season and the linear autoregression: `chosen` is the best of them on validation rows, `hindsight`
the best on the judged rows, and `naive` the best there of those without fitted parameters. Ratios
are those of RMSEs, below 1 if the model is better; + and - mean better and worse by more than noise
(Diebold-Mariano, 5 %). A * marks series with structure to learn. A ! marks series that nothing
before the judged rows could predict; they are shown but not counted. Seconds are processor time.

The last columns show the percentage of the judged rows inside the intervals of 80 and 95 %. Over
all rows together it must be within 3 points. For each series, two standard errors more are allowed,
for a share over its judged rows and intervals calibrated on a number of other rows: sqrt(L (1 - L)
(1 / judged + 1 / calibrated)).
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from app.recipes.presets import presets
from app.recipes.recipe import SeriesRecipe
from benchmarks.figures import Outcome, Table, line_of
from benchmarks.parts.demands import LEVELS, demands
from benchmarks.parts.judged import Beside, Row, judged
from benchmarks.real_series import real_series
from benchmarks.series import Series, made_series

QUICK_ROWS = 150
SHORT = {"linear_autoregression": "autoregr.", "seasonal_naive": "season"}
SIGNS = {"better": "+", "worse": "-"}
COLUMNS = (
    f"{'series':31}",
    f"{'rows':>5}",
    f"{'anchor':17}",
    "epochs",
    f"{'RMSE':>9}",
    f"{'chosen':>18}",
    f"{'hindsight':>18}",
    f"{'naive':>18} ",
    f"{'s':>5}",
    *(f"{level} %" for level in LEVELS),
)


def measure(*, quick: bool) -> Iterator[Outcome]:
    """Return the table and the demands for the preset `default`."""
    yield from _measured(_chosen(quick=quick, only=""), _recipe("default"), lambda _: None)


def main() -> int:
    """Print each row as soon as it is known, and which demands are met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help=f"series below {QUICK_ROWS} rows")
    parser.add_argument("--only", default="", help="series whose name holds this")
    parser.add_argument("--preset", default="default", choices=presets("series"))
    options = parser.parse_args()
    series = _chosen(quick=options.quick, only=options.only)
    print("  ".join(COLUMNS))
    missed = False
    for outcome in _measured(
        series, _recipe(options.preset), lambda cells: print(*cells, sep="  ")
    ):
        if not isinstance(outcome, Table):
            print(line_of(outcome))
            missed |= outcome.met is False
        elif outcome.note:
            print(outcome.note)
    return int(missed)


def _measured(
    series: Sequence[Series], recipe: SeriesRecipe, show: Callable[[tuple[str, ...]], None]
) -> Iterator[Outcome]:
    rows = []
    for each in series:
        rows.append(judged(each, recipe))
        show(_cells(rows[-1]))
    yield Table(
        title=f"Preset {recipe.preset} beside the simple forecasts",
        columns=COLUMNS,
        rows=tuple(_cells(row) for row in rows),
        note="; ".join(real_series()[1]),
    )
    yield from demands(rows)


def _recipe(preset: str) -> SeriesRecipe:
    recipe = presets("series")[preset]
    if not isinstance(recipe, SeriesRecipe):
        raise TypeError("a preset for series is for series")
    return recipe.model_copy(update={"horizon": 1})


def _chosen(*, quick: bool, only: str) -> list[Series]:
    every = [*made_series(), *real_series()[0]]
    return [
        each
        for each in every
        if only in each.name and (not quick or len(each.content) < QUICK_ROWS)
    ]


def _cells(row: Row) -> tuple[str, ...]:
    mark = "" if row.foreseeable else " !"
    return (
        f"{row.series + mark:31}",
        f"{row.rows:5}",
        f"{row.anchor:17}",
        f"{row.epochs:6}",
        f"{row.rmse:9.4g}",
        _ratio(row.chosen),
        _ratio(row.hindsight),
        _ratio(row.naive) + ("*" if row.structure else " "),
        f"{row.seconds:5.1f}",
        *(f"{100 * row.coverage(level)[0]:4.1f}" for level in LEVELS),
    )


def _ratio(beside: Beside) -> str:
    name = SHORT.get(beside.name, beside.name)
    return f"{name:>11} {beside.ratio:.3f}{SIGNS.get(beside.verdict, ' ')}"


if __name__ == "__main__":
    sys.exit(main())
