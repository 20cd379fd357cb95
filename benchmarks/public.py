"""Compare the preset `default` with a statistician's models on public series.

    python -m benchmarks.public [--quick]

Ten public series are forecast from three origins, the last three horizons before their ends. At
each origin `default` is trained on the rows before it, as a user would train it. statsforecast fits
AutoETS, AutoTheta, AutoARIMA and SeasonalNaive to the last 1,000 of the same rows. The reference is
the best of the first three in hindsight, by RMSE over the three horizons. `network` is
the number of the three trainings that kept the network beside the simple forecasts.

M4's weekly set is one upload and one training. Its OWA is relative to Naive2, with the
competition's sMAPE and MASE. Series that are absent from the shared data are left out and named.

The hourly family comes from a formula: 400 series of 700 to 960 rows with a day and a week, in one
upload. The week before, and AutoETS with a season of a day on every 20th series, forecast the same
48 hours.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from app.artifact.files import MODEL, read_artifact
from app.artifact.onnx_session import forecasts_with_intervals
from app.errors import Unprocessable
from app.forecasting.frequencies import default_horizon
from app.forecasting.histories import Reach
from app.reading.content import SeriesContent
from app.recipes.presets import presets
from app.recipes.recipe import SeriesRecipe
from benchmarks.figures import Figure, Outcome, Table, at_most, run_alone
from benchmarks.parts.beside_statistics import (
    COLUMNS,
    ORIGINS,
    Comparison,
    ends,
    geometric_mean,
    references_of,
    rmse,
)
from benchmarks.parts.hourly_family import DAY, WEEK, hourly_family
from benchmarks.parts.judged import trained
from benchmarks.parts.public_series import (
    WEEKLY_HORIZON,
    PublicSeries,
    m4_weekly,
    owa,
    public_series,
)
from benchmarks.parts.statsforecast import Task, reference_forecasts
from benchmarks.series import Series

Floats = npt.NDArray[np.float64]

LEVELS = (80, 95)
SHORT_ROWS = 200
QUICK_ROWS = 150
FAMILY, FAMILY_ROWS, FAMILY_HORIZON = 400, (700, 961), 48
FAMILY_STEP = 20  # AutoETS takes seconds for each
TOLERANCE = 0.03
START = np.datetime64("2000-01-03", "us")  # a Monday
MICROSECONDS = {"9s": 9_000_000, "30min": 1_800_000_000, "h": 3_600_000_000, "D": 86_400_000_000}
MONTHS = {"MS": 1, "QS": 3}


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """A forecast of one trained version, and what came."""

    forecast: Floats  # (horizon,)
    bounds: Floats | None  # (steps, LEVELS, 2)
    actual: Floats  # (horizon,)
    kept_network: bool


def measure(*, quick: bool) -> Iterator[Outcome]:
    """Return the table of the public series, then the figures of M4's weekly set."""
    yield from _series(quick=quick)
    yield from _weekly(quick=quick)
    yield from _hourly(quick=quick)


def _series(*, quick: bool) -> Iterator[Outcome]:
    chosen = [each for each in public_series() if not quick or len(each.values) < QUICK_ROWS]
    if not chosen:
        return
    references = references_of(chosen)
    if references is None:
        return
    compared, kept, every, refused = [], [], [], []
    for series, theirs in zip(chosen, references, strict=True):
        pairs = [
            (judged, reference)
            for end, reference in zip(ends(series), theirs, strict=True)
            if (judged := _forecast(series, end)) is not None
        ]
        own = [each for each, _ in pairs]
        if len(own) < ORIGINS:
            refused.append(f"{series.name}: {ORIGINS - len(own)} of {ORIGINS} origins")
        forecasts, actual = [each.forecast for each in own], [each.actual for each in own]
        compared.append(Comparison.of(series, forecasts, [each for _, each in pairs], actual))
        kept.append(sum(each.kept_network for each in own))
        every += own
    yield Table(
        title="RMSE of `default` over the horizon at three origins, and by that of others",
        columns=(*COLUMNS, "network"),
        rows=tuple(
            (*each.cells, f"{count:>7}") for each, count in zip(compared, kept, strict=True)
        ),
        note="; ".join(["too short for a training, and left out:", *refused]) if refused else "",
    )
    yield from _ratios(compared)
    yield from _coverage(every)


def _ratios(compared: Sequence[Comparison]) -> Iterator[Figure]:
    yield Figure(
        name="RMSE by the best of three in hindsight, geometric mean",
        value=geometric_mean([each.best for each in compared]),
        unit="",
        wanted=at_most(0.85),
        note=f"{len(compared)} series",
    )
    worst = max(compared, key=lambda each: each.best)
    yield Figure(
        name="the same, worst series",
        value=worst.best,
        unit="",
        wanted=at_most(1.1),
        note=worst.series.name,
    )
    short = [each.best for each in compared if len(each.series.values) < SHORT_ROWS]
    if short:
        yield Figure(
            name=f"the same, geometric mean of the series below {SHORT_ROWS} rows",
            value=geometric_mean(short),
            unit="",
            wanted=at_most(0.9),
            note=f"{len(short)} series",
        )


def _coverage(judged: Sequence[Judged]) -> Iterator[Figure]:
    for place, level in enumerate(LEVELS):
        inside = [
            (bounds[:, place, 0] <= known) & (known <= bounds[:, place, 1])
            for each in judged
            if (bounds := each.bounds) is not None and len(known := each.actual[: len(bounds)])
        ]
        share = float(np.concatenate(inside).mean())
        yield Figure(
            name=f"distance from {level} % of the share inside its intervals, pooled",
            value=abs(share - level / 100),
            unit="",
            wanted=at_most(TOLERANCE),
            note=f"{share:.1%} of {sum(map(len, inside))} values",
        )


def _weekly(*, quick: bool) -> Iterator[Figure]:
    pairs = m4_weekly()[: 8 if quick else None]
    if not pairs:
        return
    histories = [train for train, _ in pairs]
    content = _content(histories, "W")
    recipe = _recipe(WEEKLY_HORIZON)
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        artifact = trained(
            Path(folder), Series(name="M4 weekly", content=content, structure=True), recipe
        )
        seconds = time.perf_counter() - started
        forecasts, _, _ = _asked(artifact, histories, content.labels)
    yield Figure(
        name="M4 weekly, one upload, OWA",
        value=owa(pairs, list(forecasts)),
        unit="",
        wanted=at_most(0.8),
        note=f"{len(pairs)} series; winner of the competition 0.851, best submission 0.739",
    )
    yield Figure(name="M4 weekly, training", value=seconds, unit="s", wanted=at_most(600))


def _hourly(*, quick: bool) -> Iterator[Figure]:
    chance = np.random.default_rng(0)
    longest = FAMILY_ROWS[1] + FAMILY_HORIZON
    family = [
        series[-int(chance.integers(*FAMILY_ROWS)) - FAMILY_HORIZON :]
        for series in hourly_family(count=8 if quick else FAMILY, length=longest)
    ]
    histories = [series[:-FAMILY_HORIZON] for series in family]
    actual = [series[-FAMILY_HORIZON:] for series in family]
    content = _content(histories, "h")
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        artifact = trained(
            Path(folder),
            Series(name="hourly family", content=content, structure=True),
            _recipe(FAMILY_HORIZON),
        )
        seconds = time.perf_counter() - started
        forecasts, _, _ = _asked(artifact, histories, content.labels)
    week = [history[-WEEK : FAMILY_HORIZON - WEEK] for history in histories]
    fitted = range(0, len(family), FAMILY_STEP)
    ets = reference_forecasts(
        [
            Task(values=histories[n], season=DAY, horizon=FAMILY_HORIZON, models=("AutoETS",))
            for n in fitted
        ]
    )
    others = {"the week before": dict(enumerate(week))}
    if ets is not None:
        others["AutoETS"] = {n: each["AutoETS"] for n, each in zip(fitted, ets, strict=True)}
    for name, own in others.items():
        ratios = [
            rmse([forecasts[n]], [actual[n]]) / rmse([each], [actual[n]]) for n, each in own.items()
        ]
        yield Figure(
            name=f"hourly family, one upload, RMSE by that of {name}",
            value=geometric_mean(ratios),
            unit="",
            wanted=at_most(0.9),
            note=f"geometric mean over {len(ratios)} series, {FAMILY_HORIZON} hours",
        )
    yield Figure(name="hourly family, training", value=seconds, unit="s", wanted=at_most(600))


def _forecast(series: PublicSeries, end: int) -> Judged | None:
    """Return what a version trained on the rows before `end` says; None if they are too few.

    Where they are too few for the horizon, nothing is held out; then the horizon is the default one
    for so many rows, and further steps follow from the forecast ones.
    """
    horizon = series.source.horizon
    history = series.values[:end]
    content = _content([history], series.source.frequency)
    given = Series(name=series.name, content=content, structure=True)
    fewer = min(horizon, default_horizon(series.source.frequency, rows=end))
    for recipe in (
        _recipe(steps).model_copy(update=held_out)
        for steps in (horizon, fewer)
        for held_out in ({}, {"test_fraction": 0.0})
    ):
        with TemporaryDirectory() as folder:
            try:
                artifact = trained(Path(folder), given, recipe)
            except Unprocessable:
                continue
            forecast, bounds, kept = _asked(artifact, [history], content.labels)
            known = np.concatenate((history, forecast[0]))
            while len(known) < end + horizon:
                forecast, _, _ = _asked(artifact, [known], content.labels)
                known = np.concatenate((known, forecast[0]))
        return Judged(
            forecast=known[end : end + horizon],
            bounds=None if bounds is None else bounds[0],
            actual=series.values[end : end + horizon],
            kept_network=kept,
        )
    return None


def _asked(
    artifact: Path, histories: Sequence[Floats], labels: Sequence[str]
) -> tuple[Floats, Floats | None, bool]:
    """Return a version's forecasts, its intervals, and whether its network was kept."""
    manifest, card = read_artifact(artifact)
    known = () if manifest.series is None else manifest.series.labels
    reach = Reach.of(manifest)
    windows = np.stack([reach.read(history) for history in histories])
    forecasts, bounds = forecasts_with_intervals(
        (artifact / MODEL).read_bytes(),
        windows[:, :, None],
        LEVELS,
        numbers=np.array([known.index(x) + 1 if x in known else 0 for x in labels], np.int64),
        check=lambda: None,
    )
    return forecasts, bounds, bool(card.best_epoch)


def _recipe(horizon: int) -> SeriesRecipe:
    recipe = presets("series")["default"]
    if not isinstance(recipe, SeriesRecipe):
        raise TypeError("the default preset for series is for series")
    # The times are made up, so that a calendar says nothing about them.
    return recipe.model_copy(update={"horizon": horizon, "calendar_inputs": ()})


def _content(histories: Sequence[Floats], step: str) -> SeriesContent:
    """Return histories as an upload of one or several series that end together."""
    longest = max(map(len, histories))
    times = _times(longest, step)
    return SeriesContent(
        columns=("value",),
        values=np.concatenate(histories)[:, None],
        times=np.concatenate([times[longest - len(history) :] for history in histories]),
        offsets=None,
        time_form="date" if step in {"D", "W", *MONTHS} else "local",
        frequency=step,
        labels=("",) if len(histories) == 1 else tuple(f"S{n}" for n in range(len(histories))),
        series=np.repeat(np.arange(len(histories), dtype=np.int32), [len(x) for x in histories]),
    )


def _times(rows: int, step: str) -> npt.NDArray[np.datetime64]:
    count = np.arange(rows)
    if step in MONTHS:
        months = START.astype("datetime64[M]") + MONTHS[step] * count
        starts: npt.NDArray[np.datetime64] = months.astype("datetime64[us]")
        return starts
    micros = 7 * MICROSECONDS["D"] if step == "W" else MICROSECONDS[step]
    times: npt.NDArray[np.datetime64] = START + (micros * count).astype("timedelta64[us]")
    return times


if __name__ == "__main__":
    sys.exit(run_alone(measure))
