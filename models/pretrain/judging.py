"""Judge the served graph on made-up series that were not used in training."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime

from app.artifact.files import FORECAST, HISTORY, INTERVALS, LEVELS, SEASON_PERIODS
from app.artifact.scorecard import Against, Errors, LevelScore, Scores, SeriesScore, StepScores
from app.forecasting.metrics import coverage, pinball
from app.training.universal.form import CONTEXT, HORIZON
from models.pretrain.generator import make
from models.pretrain.plan import KINDS, VALIDATION_SEED

JUDGED_PER_KIND = 480
PER_RUN = 32
SCORED_LEVELS = (80, 95)
SCORED_STEPS = (1, 2, 4, 8, 16, 32, 64)
PERSISTENCE, SEASONAL = "persistence", "seasonal_naive"
# In units of a history's mean change. Without a limit, a shift after a nearly constant history
# would outweigh all others.
LARGEST_ERROR = 100.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Made-up series, cut where the forecast starts."""

    histories: Floats  # (series, CONTEXT)
    periods: npt.NDArray[np.int64]  # (series, 2)
    actual: Floats  # (series, HORIZON)


def held_out() -> HeldOut:
    """Return series of a seed that is kept for this."""
    histories, periods, actual = [], [], []
    for kind in KINDS:
        block = make(seed=VALIDATION_SEED, block=1, count=JUDGED_PER_KIND, layout=kind.layout)
        padded = np.full((JUDGED_PER_KIND, CONTEXT), np.nan)
        padded[:, -kind.context :] = block.values[:, : kind.context]
        histories.append(padded)
        periods.append(block.periods.astype(np.int64))
        actual.append(block.values[:, kind.context :].astype(np.float64))
    return HeldOut(
        histories=np.concatenate(histories),
        periods=np.concatenate(periods),
        actual=np.concatenate(actual),
    )


def run_graph(graph: bytes, series: HeldOut) -> tuple[Floats, Floats]:
    """Return forecasts (series, HORIZON) and bounds (series, HORIZON, SCORED_LEVELS, 2)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options)
    found = []
    for start in range(0, len(series.histories), PER_RUN):
        rows = slice(start, start + PER_RUN)
        given = {
            HISTORY: series.histories[rows, :, None],
            SEASON_PERIODS: series.periods[rows],
            LEVELS: np.array(SCORED_LEVELS, np.int64),
        }
        found.append(session.run([FORECAST, INTERVALS], given))
    forecasts, bounds = zip(*found, strict=True)
    return np.concatenate(forecasts), np.concatenate(bounds)


def judge(series: HeldOut, forecasts: Floats, bounds: Floats) -> SeriesScore:
    """Score forecasts beside the last value and the last season."""
    unit = np.nanmean(np.abs(np.diff(series.histories, axis=1)), axis=1)  # (series,)
    moves = unit > 0
    unit = np.where(moves, unit, 1.0)[:, None]
    simple = _simple_forecasts(series)
    errors = {
        name: np.where(moves[:, None], (values - series.actual) / unit, np.nan)
        for name, values in {"model": forecasts, **simple}.items()
    }
    errors = {name: np.clip(own, -LARGEST_ERROR, LARGEST_ERROR) for name, own in errors.items()}
    scaled = (series.actual[..., None, None] - bounds) / unit[..., None, None]
    scaled[~moves] = np.nan
    every = _scores(errors, scaled)
    steps = tuple(
        StepScores(
            step=step,
            **_scores(
                {name: own[:, step - 1 : step] for name, own in errors.items()},
                scaled[:, step - 1 : step],
            ).model_dump(),
        )
        for step in SCORED_STEPS
    )
    first = steps[0]
    return SeriesScore(
        rows=first.rows,
        start=None,
        end=None,
        model=first.model,
        baselines=first.baselines,
        against=first.against,
        intervals=first.intervals,
        pooled=True,
        steps=steps,
        all_steps=every,
    )


def _simple_forecasts(series: HeldOut) -> dict[str, Floats]:
    """Return the last value, and the last season if a period is known."""
    known = np.isfinite(series.histories)
    places = np.where(known, np.arange(CONTEXT), 0)
    filled = np.take_along_axis(series.histories, np.maximum.accumulate(places, axis=1), axis=1)
    last = np.repeat(filled[:, -1:], HORIZON, axis=1)
    period = np.maximum(series.periods[:, :1], 1)  # (series, 1)
    ahead = np.arange(HORIZON)[None] % period
    season = np.take_along_axis(filled, np.maximum(CONTEXT - period + ahead, 0), axis=1)
    return {PERSISTENCE: last, SEASONAL: np.where(np.isfinite(season), season, last)}


def _scores(errors: dict[str, Floats], scaled: Floats) -> Scores:
    counted = np.isfinite(np.stack(list(errors.values()))).all(axis=0)
    figures = {
        name: Errors(
            rmse=float(np.sqrt(np.mean(own[counted] ** 2))),
            mae=float(np.mean(np.abs(own[counted]))),
            bias=float(np.mean(own[counted])),
        )
        for name, own in errors.items()
    }
    model = figures.pop("model")
    return Scores(
        rows=int(counted.sum()),
        model=model,
        baselines=figures,
        against={
            name: Against(
                rows=int(counted.sum()),
                skill=1 - model.rmse / own.rmse,
                verdict="not to be told",
                missing="the series are made up: how often which kind comes was chosen",
            )
            for name, own in figures.items()
        },
        intervals=tuple(
            _level(level, scaled[..., place, :][counted])
            for place, level in enumerate(SCORED_LEVELS)
        ),
    )


def _level(level: int, away: Floats) -> LevelScore:
    """Score one level; `away` (rows, 2) is the distance of the value beyond each end."""
    zero, tail = np.zeros(len(away)), (1 - level / 100) / 2
    return LevelScore(
        level=level,
        rows=len(away),
        coverage=coverage(zero, -away[:, 0], -away[:, 1]),
        width=float(np.mean(away[:, 0] - away[:, 1])),
        pinball=(pinball(away[:, 0], zero, tail) + pinball(away[:, 1], zero, 1 - tail)) / 2,
    )
