"""How good the default recipe is: RMSE beside the simple forecasts, on series of different nature.

    python -m benchmarks.accuracy [--quick] [--only NAME] [--preset chapter]

Each series is trained by the preset as it is and judged on its last fifth (or its own test set);
`--quick` takes every series below 500 rows, `--only` those whose name holds NAME. Ends with 1 if a
demand is not met. The simple forecasts are persistence, drift, the last season and the linear
autoregression; `chosen` is the best of them on validation rows, `hindsight` the best on the judged
rows, `naive` the best there of those that learn nothing. Ratios are RMSE by RMSE, below 1 where the
model is better; + and - say that it is better or worse by more than noise (Diebold-Mariano, 5 %).
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from app.recipes import SeriesRecipe, presets
from benchmarks.parts.judged import Beside, Row, measure
from benchmarks.real_series import real_series
from benchmarks.series import Series, made_series

QUICK_ROWS = 500
LONG_ROWS = 1000
LARGEST_HINDSIGHT_RATIO = 1.02
LARGEST_STRUCTURE_RATIO = 0.9
MOST_SECONDS = 60.0
SHORT = {"linear_autoregression": "autoregr.", "seasonal_naive": "season"}
SIGNS = {"better": "+", "worse": "-"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains, prints the table and says which demands are met."""
    options = _options(arguments)
    recipe = presets("series")[options.preset]
    if not isinstance(recipe, SeriesRecipe):
        raise TypeError("a preset for series is for series")
    chosen, absent = _chosen(quick=options.quick, only=options.only)
    if not chosen:
        print(f"no series has {options.only!r} in its name")
        return 1
    print(
        f"{'series':31} {'rows':>5}  {'anchor':16} {'ep':>3} {'RMSE':>9}"
        f"  {'chosen':>17}  {'hindsight':>17}  {'naive':>18} {'s':>6}"
    )
    rows = []
    for series in chosen:
        rows.append(measure(series, recipe))
        print(_line(rows[-1]), flush=True)
    for line in absent:
        print(line)
    return _demands(rows)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How good the default recipe is")
    parser.add_argument("--quick", action="store_true", help=f"series below {QUICK_ROWS} rows")
    parser.add_argument("--only", default="", help="series whose name holds this")
    parser.add_argument("--preset", default="default", choices=presets("series"))
    return parser.parse_args(arguments)


def _chosen(*, quick: bool, only: str) -> tuple[list[Series], list[str]]:
    real, absent = real_series()
    every = [*made_series(), *real]
    return [
        each
        for each in every
        if only in each.name and (not quick or len(each.content) < QUICK_ROWS)
    ], absent


def _line(row: Row) -> str:
    return (
        f"{row.series:31} {row.rows:5}  {row.anchor:16} {row.epochs:3} {row.rmse:9.4g}"
        f"  {_ratio(row.chosen)}  {_ratio(row.hindsight)}"
        f"  {_ratio(row.naive)}{'*' if row.structure else ' '} {row.seconds:6.1f}"
    )


def _ratio(beside: Beside) -> str:
    name = SHORT.get(beside.name, beside.name)
    return f"{name:>11} {beside.ratio:.3f}{SIGNS.get(beside.verdict, ' ')}"


def _demands(rows: list[Row]) -> int:
    """Each demand of the recipe, met or not; 1 if one is not."""
    ratios = np.array([[row.chosen.ratio, row.hindsight.ratio, row.naive.ratio] for row in rows])
    means = ratios.mean(axis=0)
    print(f"\nmean ratio: chosen {means[0]:.3f}, hindsight {means[1]:.3f}, naive {means[2]:.3f}")
    failed = {
        "1.00 or less of the best on validation rows, in the mean": []
        if means[0] <= 1.0
        else ["mean"],
        f"{LONG_ROWS} rows or more: within 2 % of the best in hindsight": [
            row.series
            for row in rows
            if row.rows >= LONG_ROWS and row.hindsight.ratio > LARGEST_HINDSIGHT_RATIO
        ],
        "fewer rows: not significantly worse than it": [
            row.series for row in rows if row.rows < LONG_ROWS and row.hindsight.verdict == "worse"
        ],
        "10 % better than the best naive where there is structure (*)": [
            row.series
            for row in rows
            if row.structure and row.naive.ratio > LARGEST_STRUCTURE_RATIO
        ],
        "a series within a minute": [row.series for row in rows if row.seconds > MOST_SECONDS],
    }
    for demand, names in failed.items():
        print(f"{'not met' if names else 'met    '}  {demand}" + ": " * bool(names), end="")
        print("; ".join(names))
    return int(any(failed.values()))


if __name__ == "__main__":
    sys.exit(main())
