"""Measure the quality of forecasts.

Actual and forecast values are arrays of the same shape; places where either is NaN are left out.
Undefined figures (nothing to measure, a division by zero) are NaN, never 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.forecasting.student import two_sided_p_value

Floats = NDArray[np.float64]


def _errors(actual: Floats, forecast: Floats) -> Floats:
    """Return forecast minus actual where both are known, (n,)."""
    actual, forecast = np.broadcast_arrays(actual, forecast)
    errors = np.asarray(forecast - actual, dtype=np.float64).ravel()
    known: Floats = errors[~np.isnan(errors)]
    return known


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def rmse(actual: Floats, forecast: Floats) -> float:
    """Return the root mean squared error, in the target's unit."""
    errors = np.abs(_errors(actual, forecast))
    largest = errors.max(initial=0.0)
    if not largest or not np.isfinite(largest):
        return _mean(errors)  # 0, infinite, or NaN without rows
    # Relative to the largest, because squares of numbers beyond 1e154 are infinite.
    return float(largest * np.sqrt(_mean((errors / largest) ** 2)))


def mae(actual: Floats, forecast: Floats) -> float:
    """Return the mean absolute error, in the target's unit."""
    return _mean(np.abs(_errors(actual, forecast)))


def bias(actual: Floats, forecast: Floats) -> float:
    """Return the mean of forecast minus actual, in the target's unit; above 0: too high."""
    return _mean(_errors(actual, forecast))


def smape(actual: Floats, forecast: Floats) -> float:
    """Return the symmetric mean absolute percentage error, 0 to 200 (Makridakis 1993).

    200 |f - a| / (|a| + |f|), averaged over the places where the denominator is not 0.
    """
    actual, forecast = np.broadcast_arrays(actual, forecast)
    size = np.abs(actual) + np.abs(forecast)
    defined = size > 0  # False where NaN
    return _mean(200 * np.abs(forecast - actual)[defined] / size[defined])


def mase(actual: Floats, forecast: Floats, *, training: Floats, period: int = 1) -> float:
    """Return the mean absolute scaled error (Hyndman & Koehler 2006); below 1 beats the naive one.

    The scale is the mean absolute error of the seasonal naive forecast within the training rows.

    Args:
        actual: actual values.
        forecast: forecasts of them.
        training: (rows,), the rows before the forecasts.
        period: rows in a season; 1 for none.

    Returns:
        The error, or NaN if the training rows are constant or at most one season.
    """
    scale = mae(training[period:], training[:-period])
    return mae(actual, forecast) / scale if scale > 0 else float("nan")


def directional_accuracy(actual: Floats, forecast: Floats, previous: Floats) -> float:
    """Return the share of rows whose direction from the previous value was forecast, 0 to 1.

    Rows without an actual change, or without a forecast change, have no direction and do not count.
    So the persistence forecast has no directional accuracy (NaN).
    """
    moved, foreseen = np.sign(actual - previous), np.sign(forecast - previous)
    directed = np.abs(moved * foreseen) == 1
    return _mean((moved == foreseen)[directed].astype(np.float64))


def skill(error: float, baseline_error: float) -> float:
    """Return 1 - error / baseline error: above 0 is better than the baseline, 1 is perfect."""
    return 1 - error / baseline_error if baseline_error > 0 else float("nan")


def pinball(actual: Floats, forecast: Floats, quantile: float) -> float:
    """Return the pinball loss of a quantile (Koenker & Bassett 1978), in the target's unit.

    Args:
        actual: values that came.
        forecast: the forecast quantile.
        quantile: which one, between 0 and 1.
    """
    below = -_errors(actual, forecast)  # actual minus forecast
    return _mean(np.maximum(quantile * below, (quantile - 1) * below))


def coverage(actual: Floats, low: Floats, high: Floats) -> float:
    """Return the share of actual values inside the interval, including its ends, 0 to 1."""
    known = ~(np.isnan(actual) | np.isnan(low) | np.isnan(high))
    inside = (low <= actual) & (actual <= high)
    return _mean(inside[known].astype(np.float64))


@dataclass(frozen=True, kw_only=True)
class LagCopy:
    """Whether forecasts follow the previous value more closely than the next."""

    error: float  # RMSE against the values that were forecast
    error_to_previous: float  # RMSE against the previous values
    copies: bool | None  # closer to the previous value; None: undefined


def lag_copy(actual: Floats, forecast: Floats, previous: Floats) -> LagCopy:
    """Compare forecasts with the value that they forecast and with the previous one.

    A forecast that hardly differs from the last known value looks right in a plot, only one step
    late. This distinguishes it from one with skill.

    Args:
        actual: (n,), actual values.
        forecast: (n,), forecasts of them.
        previous: (n,), the last known value at the time of the forecast.
    """
    known = ~(np.isnan(actual) | np.isnan(forecast) | np.isnan(previous))
    error = rmse(actual[known], forecast[known])
    to_previous = rmse(previous[known], forecast[known])
    told = np.isfinite(error) and np.isfinite(to_previous)
    return LagCopy(
        error=error,
        error_to_previous=to_previous,
        copies=bool(to_previous < error) if told else None,
    )


@dataclass(frozen=True, kw_only=True)
class DieboldMariano:
    """A test whether two forecasts are equally good."""

    statistic: float  # below 0: the first is better
    p_value: float  # two-sided; NaN if the errors do not differ or are too few


def diebold_mariano(
    errors: Floats, baseline_errors: Floats, *, horizon: int = 1, power: float = 2.0
) -> DieboldMariano:
    """Perform the test of Diebold & Mariano (1995), corrected for small samples.

    The correction is that of Harvey, Leybourne & Newbold (1997).

    With d the difference of |error| ** power, row by row and oldest first, and g_k its
    autocovariance at lag k,

        variance = (g_0 + 2 Σ_{k<h} g_k) / n
        statistic = sqrt((n + 1 - 2h + h(h - 1) / n) / n) · mean(d) / sqrt(variance)

    is compared with Student's t with n - 1 degrees of freedom. If the variance is negative, as it
    may be for h above 1, that of h = 1 is used.

    Args:
        errors: (n,), of the judged forecast, oldest first.
        baseline_errors: (n,), of the baseline, for the same rows.
        horizon: h, steps ahead of these forecasts.
        power: 2 compares squared errors, 1 absolute ones.

    Raises:
        ValueError: the arrays have different lengths.
    """
    if errors.ndim != 1 or errors.shape != baseline_errors.shape:
        raise ValueError(f"errors {errors.shape} and {baseline_errors.shape} must be (n,) both")
    difference = np.abs(errors) ** power - np.abs(baseline_errors) ** power  # (n,)
    difference = difference[~np.isnan(difference)]
    n, h = len(difference), horizon
    undefined = DieboldMariano(statistic=float("nan"), p_value=float("nan"))
    if n <= h:
        return undefined
    mean = float(difference.mean())
    centered = difference - mean
    covariances = [float(centered[k:] @ centered[: n - k]) / n for k in range(h)]
    variance = covariances[0] + 2 * sum(covariances[1:])
    correction = (n + 1 - 2 * h + h * (h - 1) / n) / n
    if variance <= 0:
        variance, correction = covariances[0], (n - 1) / n
    if variance <= np.finfo(np.float64).eps * mean**2:  # constant except for rounding
        return undefined
    statistic = float(np.sqrt(correction) * mean / np.sqrt(variance / n))
    return DieboldMariano(statistic=statistic, p_value=two_sided_p_value(statistic, freedom=n - 1))
