"""Compare `universal` on series that it never saw with statistics fitted to each of them.

    python -m benchmarks.zero_shot [--quick] [--model FILE.onnx]

Public series from the shared data are left out if they are absent. They are M4's weekly set (OWA
relative to Naive2, with the competition's sMAPE and MASE) and ten series at three origins, the last
three horizons. Each is compared with statsforecast's AutoETS, AutoTheta and AutoARIMA, fitted to
the same last 1,000 values (RMSE over the three horizons; the best of the three in hindsight is the
reference). Short histories of 12 to 40 values are cut from the same ten series. The hourly family
comes from a formula that the network was not trained on. Coverage counts all of these forecasts.
Families that are expected to be hard come last, each beside a simple forecast; their coverage is
told with them.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.artifact.files import SCORECARD
from app.artifact.scorecard import Scorecard
from app.forecasting.season import detected_periods
from benchmarks.figures import (
    Figure,
    Outcome,
    Table,
    at_least,
    at_most,
    line_of,
    number,
)
from benchmarks.parts.beside_statistics import (
    COLUMNS,
    Comparison,
    ends,
    geometric_mean,
    references_of,
    rmse,
)
from benchmarks.parts.hard_families import HORIZON as HARD_HORIZON
from benchmarks.parts.hard_families import hard_families
from benchmarks.parts.hourly_family import DAY, WEEK, hourly_family
from benchmarks.parts.public_series import (
    WEEKLY,
    WEEKLY_HORIZON,
    PublicSeries,
    m4_weekly,
    owa,
    public_series,
    weekly_errors,
)
from benchmarks.parts.statsforecast import Task, reference_forecasts
from benchmarks.parts.universal import LEVELS, PER_RUN, SHIPPED, Forecast, Universal

Floats = npt.NDArray[np.float64]

SHORT_LENGTHS = (12, 16, 20, 28, 40)
SHORT_PLACES = 8
SHORT_HORIZON = 8
FAMILY, FAMILY_ROWS, FAMILY_HORIZON = 40, 1000, 48
HARD = 200
LONGEST_TOLD = 512  # rows in a season, at most
SPEED_ROUNDS = 30
TOLERANCE = 0.03
# Begins the notes of a scorecard that this program writes.
RECORDED = "On series that no training saw (benchmarks/zero_shot.py): "


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """Forecasts beside the actual values."""

    forecast: Forecast
    actual: Floats


def measure(*, quick: bool) -> Iterator[Outcome]:
    """Return the figures of the shipped model."""
    yield from measured(Universal(), quick=quick)


def measured(model: Universal, *, quick: bool) -> Iterator[Outcome]:
    """Return the figures of a model."""
    judged: list[Judged] = []
    for part in (_weekly, _public, _short, _hourly):
        yield from part(model, judged, quick=quick)
    yield from _coverage(judged)
    yield from _hard(model, quick=quick)
    yield from _speed(model)


def _weekly(model: Universal, judged: list[Judged], *, quick: bool) -> Iterator[Outcome]:
    pairs = m4_weekly()[: 40 if quick else None]
    if not pairs:
        return
    own = [
        Judged(forecast=forecast, actual=actual)
        for forecast, (_, actual) in zip(
            model.forecast(
                [train for train, _ in pairs], [(WEEKLY, 0)] * len(pairs), horizon=WEEKLY_HORIZON
            ),
            pairs,
            strict=True,
        )
    ]
    judged += own
    smape, mase = weekly_errors(pairs, [x.forecast.values for x in own])
    yield Figure(
        name="M4 weekly, OWA without training",
        value=owa(pairs, [x.forecast.values for x in own]),
        unit="",
        wanted=at_most(0.74),
        note=f"{len(own)} series; sMAPE {smape:.3f}, MASE {mase:.3f}; "
        "best submission 0.739, winner 0.851",
    )


def _public(model: Universal, judged: list[Judged], *, quick: bool) -> Iterator[Outcome]:
    chosen = [x for x in public_series() if not quick or len(x.values) < 250]
    references = references_of(chosen)
    if references is None:
        return
    compared = []
    for series, theirs in zip(chosen, references, strict=True):
        own = [_asked(model, series, end) for end in ends(series)]
        judged += own
        forecasts, actual = [x.forecast.values for x in own], [x.actual for x in own]
        compared.append(Comparison.of(series, forecasts, theirs, actual))
    yield Table(
        title="RMSE of `universal` over the horizon at three origins, and by that of others",
        columns=COLUMNS,
        rows=tuple(each.cells for each in compared),
    )
    yield Figure(
        name="public series, RMSE by the best of three in hindsight",
        value=geometric_mean([each.best for each in compared]),
        unit="",
        wanted=at_most(1.0),
        note=f"geometric mean over {len(compared)} series",
    )


def _short(model: Universal, judged: list[Judged], *, quick: bool) -> Iterator[Outcome]:
    chosen = [x for x in public_series() if not quick or len(x.values) < 250]
    cuts = [
        (series, length, start)
        for series in chosen
        for length in SHORT_LENGTHS
        for start in _starts(len(series.values), length + SHORT_HORIZON)
    ]
    if not cuts:
        return
    tasks = [
        Task(
            values=series.values[start : start + length],
            season=series.source.season if series.source.season * 2 <= length else 1,
            horizon=SHORT_HORIZON,
            models=("AutoTheta",),
        )
        for series, length, start in cuts
    ]
    references = reference_forecasts(tasks)
    if references is None:
        return
    forecasts = model.forecast(
        [task.values for task in tasks],
        [(series.source.season, series.source.longer) for series, *_ in cuts],
        horizon=SHORT_HORIZON,
    )
    own: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for (series, length, start), forecast, reference in zip(
        cuts, forecasts, references, strict=True
    ):
        actual = series.values[start + length : start + length + SHORT_HORIZON]
        judged.append(Judged(forecast=forecast, actual=actual))
        errors = (forecast.values - actual, reference["AutoTheta"] - actual)
        own.setdefault((series.name, length), []).append(
            (float(np.mean(errors[0] ** 2)), float(np.mean(errors[1] ** 2)))
        )
    ratios = [
        np.sqrt(np.mean([x for x, _ in v]) / np.mean([y for _, y in v])) for v in own.values()
    ]
    yield Figure(
        name="histories of 12 to 40 values, RMSE by AutoTheta's",
        value=geometric_mean(ratios),
        unit="",
        wanted=at_most(1.0),
        note=f"geometric mean over {len(ratios)} series and lengths, {len(cuts)} histories",
    )


def _hourly(model: Universal, judged: list[Judged], *, quick: bool) -> Iterator[Outcome]:
    family = hourly_family(count=8 if quick else FAMILY, length=FAMILY_ROWS + FAMILY_HORIZON)
    histories = [series[:FAMILY_ROWS] for series in family]
    actual = [series[FAMILY_ROWS:] for series in family]
    forecasts = model.forecast(histories, [(DAY, WEEK)] * len(family), horizon=FAMILY_HORIZON)
    judged += [
        Judged(forecast=forecast, actual=values)
        for forecast, values in zip(forecasts, actual, strict=True)
    ]
    naive = [history[-WEEK : -WEEK + FAMILY_HORIZON] for history in histories]
    daily = [np.tile(history[-DAY:], 2)[:FAMILY_HORIZON] for history in histories]
    for name, other in (("week", naive), ("day", daily)):
        ratios = [
            rmse([own.values], [came]) / rmse([copied], [came])
            for own, copied, came in zip(forecasts, other, actual, strict=True)
        ]
        yield Figure(
            name=f"hourly family, RMSE by that of the {name} before",
            value=geometric_mean(ratios),
            unit="",
            wanted=at_most(0.9),
            note=f"geometric mean over {len(ratios)} series, {FAMILY_HORIZON} hours",
        )


def _hard(model: Universal, *, quick: bool) -> Iterator[Outcome]:
    for family in hard_families(count=10 if quick else HARD):
        periods = [detected_periods(x, longest=LONGEST_TOLD) for x in family.histories]
        forecasts = model.forecast(family.histories, periods, horizon=HARD_HORIZON)
        own = rmse([x.values for x in forecasts], family.actual)
        bounds = np.stack([x.bounds[:, 0] for x in forecasts])  # of 80 %, (series, horizon, 2)
        came = np.stack(family.actual)
        inside = float(((bounds[..., 0] <= came) & (came <= bounds[..., 1])).mean())
        yield Figure(
            name=f"{family.name}, RMSE by that of {family.simple_name}",
            value=own / rmse(family.simple, family.actual),
            unit="",
            note=f"{len(forecasts)} series, {HARD_HORIZON} steps; {inside:.0%} of the values "
            "inside the intervals of 80 %",
        )


def _coverage(judged: Sequence[Judged]) -> Iterator[Outcome]:
    for place, level in enumerate(LEVELS):
        inside = [
            (x.actual >= x.forecast.bounds[:, place, 0])
            & (x.actual <= x.forecast.bounds[:, place, 1])
            for x in judged
        ]
        share = float(np.concatenate(inside).mean())
        yield Figure(
            name=f"values inside the intervals of {level} %",
            value=share,
            unit="",
            note=f"{'within' if abs(share - level / 100) <= TOLERANCE else 'NOT within'} "
            f"{TOLERANCE:.0%} of {level} %; all forecasts above",
        )


def _speed(model: Universal) -> Iterator[Outcome]:
    chance = np.random.default_rng(1)
    windows = np.cumsum(chance.normal(size=(256, model.context, 1)), axis=1)
    periods = np.tile([[DAY, WEEK]], (256, 1))
    yield Figure(name="size of the graph", value=model.bytes, unit="bytes", wanted=at_most(4e6))
    one = _median_seconds(lambda: model.run(windows[:1], periods[:1]))
    yield Figure(
        name="one series of 1,024 values, one core",
        value=one * 1000,
        unit="ms",
        wanted=at_most(3.0),
    )
    many = _median_seconds(
        lambda: [
            model.run(windows[start : start + PER_RUN], periods[start : start + PER_RUN])
            for start in range(0, 256, PER_RUN)
        ]
    )
    yield Figure(
        name="256 series of 1,024 values, one core",
        value=256 / many,
        unit="series/s",
        wanted=at_least(1000),
    )


def _median_seconds(run: Callable[[], object]) -> float:
    run()
    seconds = []
    for _ in range(SPEED_ROUNDS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def _asked(model: Universal, series: PublicSeries, end: int) -> Judged:
    horizon = series.source.horizon
    [forecast] = model.forecast(
        [series.values[:end]], [(series.source.season, series.source.longer)], horizon=horizon
    )
    return Judged(forecast=forecast, actual=series.values[end : end + horizon])


def _starts(rows: int, needed: int) -> list[int]:
    """Return evenly spaced starts of histories; none in a series that is too short."""
    if rows < needed:
        return []
    return sorted({int(x) for x in np.linspace(0, rows - needed, SHORT_PLACES)})


def main() -> int:
    """Print each figure as it comes; return 1 if a target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.zero_shot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="see that it runs; less of everything")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="the graph of another network")
    parser.add_argument(
        "--record", action="store_true", help="write the errors to the network's scorecard, too"
    )
    options = parser.parse_args()
    outcomes = []
    for outcome in measured(Universal(options.model), quick=options.quick):
        print(line_of(outcome), flush=True)
        outcomes.append(outcome)
    if options.record:
        record(options.model.parent / SCORECARD, outcomes)
    return int(any(isinstance(x, Figure) and x.met is False for x in outcomes))


def record(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Replace the notes of a scorecard that are about measured series by these figures."""
    scorecard = Scorecard.model_validate_json(path.read_bytes())
    told = [
        f"{RECORDED}{x.name}: {number(x.value)}" + (f" ({x.note})" if x.note else "") + "."
        for x in outcomes
        if isinstance(x, Figure) and not x.unit
    ]
    kept = [note for note in scorecard.notes if not note.startswith(RECORDED)]
    changed = scorecard.model_copy(update={"notes": (*kept, *told)})
    text = json.dumps(changed.model_dump(mode="json"), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
