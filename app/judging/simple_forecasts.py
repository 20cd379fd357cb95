"""Forecast a series with simple baselines, fitted on the rows before the judged ones."""

from dataclasses import dataclass

import numpy as np

from app.forecasting.autoregression import LinearAutoregression
from app.forecasting.baselines import Baseline, Drift, Persistence, SeasonalNaive
from app.forecasting.frequencies import season_candidates
from app.forecasting.season import detect_season
from app.judging.forecasts import Floats, JudgedSeries

PERSISTENCE = "persistence"
DRIFT = "drift"
SEASONAL = "seasonal_naive"
AUTOREGRESSION = "linear_autoregression"
MLP = "mlp"
UNIVERSAL = "universal"
BASELINES = (PERSISTENCE, DRIFT, SEASONAL, AUTOREGRESSION, MLP, UNIVERSAL)
LONGEST_SEASON_IN_LAGS = 60
FEWEST_LAGS = 10
ROWS_PER_LAG = 4
# One regression per step; with more steps, fitting takes longer than the networks that it is
# compared with.
MOST_FITTED_STEPS = 60
# Season and regression take about 3 ms per series: half a minute for 10,000 series, longer than the
# training.
MOST_FITTED_SERIES = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class SimpleForecasts:
    """The baselines' forecasts at the origins."""

    forecasts: dict[str, Floats]  # (n, horizon) each
    missing: dict[str, str]
    season: int | None


def simple_forecasts(
    judged: JudgedSeries,
    *,
    horizon: int,
    frequency: str | None,
    window: int,
    series_count: int = 1,
) -> SimpleForecasts:
    """Forecast by persistence, drift, seasonal naive and linear autoregression at every origin.

    Each forecast sees the rows before its origin. What is fitted, including the season, is fitted
    only on the training rows.

    Args:
        judged: the origins.
        horizon: steps ahead.
        frequency: of the rows, for the seasons to look for.
        window: past values that the network sees, for the lags of the autoregression.
        series_count: number of series judged together; if there are very many, none is fitted.
    """
    if series_count > MOST_FITTED_SERIES:
        reason = f"it is only fitted to up to {MOST_FITTED_SERIES} series, not to {series_count}"
        return SimpleForecasts(
            forecasts={
                each.name: each.forecasts(judged.values, judged.first, horizon=horizon)
                for each in (Persistence(), Drift())
            },
            missing=dict.fromkeys((SEASONAL, AUTOREGRESSION), reason),
            season=None,
        )
    found = detect_season(judged.training, candidates=season_candidates(frequency))
    season = None if found is None else found.period
    baselines: dict[str, Baseline] = {PERSISTENCE: Persistence(), DRIFT: Drift()}
    missing = {}
    if season is None:
        missing[SEASONAL] = "no season was found in the rows before the judged ones"
    else:
        baselines[SEASONAL] = SeasonalNaive(period=season)
    fitted = min(horizon, MOST_FITTED_STEPS)
    baselines[AUTOREGRESSION] = LinearAutoregression(
        lags=lags_for(len(judged.training), window=window, season=season), horizon=fitted
    )
    forecasts = {}
    for name, baseline in baselines.items():
        steps = fitted if name == AUTOREGRESSION else horizon
        given = np.full((len(judged), horizon), np.nan)
        try:
            ready = baseline.fit(judged.training)
        except (ValueError, np.linalg.LinAlgError) as error:
            missing[name] = f"cannot be fitted on the rows before the judged ones: {error}"
            continue
        given[:, :steps] = ready.forecasts(judged.values, judged.first, horizon=steps)
        forecasts[name] = given
    return SimpleForecasts(forecasts=forecasts, missing=missing, season=season)


def lags_for(rows: int, *, window: int, season: int | None) -> int:
    """Return how many past values a fitted baseline sees: the network's, or a season if longer.

    Args:
        rows: rows that it is fitted on.
        window: past values that the network sees.
        season: rows in the season; None if there is none.
    """
    wanted = max(FEWEST_LAGS, min(window, LONGEST_SEASON_IN_LAGS))
    if season is not None and season <= LONGEST_SEASON_IN_LAGS:
        wanted = max(wanted, season)
    return max(1, min(wanted, rows // ROWS_PER_LAG))
