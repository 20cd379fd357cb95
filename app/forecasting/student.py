"""Compute Student's t distribution, so that tests need only NumPy."""

import math
from functools import lru_cache

# Modified Lentz, after Press et al., "Numerical Recipes", sections 5.2 and 6.4.
MOST_TERMS = 10_000
SMALLEST = 1e-300
ACCURACY = 1e-15
HALVINGS_LEFT = 1000  # 12 digits are exact enough for a quantile


def two_sided_p_value(statistic: float, *, freedom: int) -> float:
    """Return the probability of a value at least as far from 0, in either direction.

    P(|T| >= t) = I_x(ν/2, 1/2) with x = ν / (ν + t²), I being the regularised incomplete beta
    function (Abramowitz & Stegun 26.7.1).

    Args:
        statistic: t.
        freedom: degrees of freedom ν, 1 or more.
    """
    if math.isnan(statistic):
        return float("nan")
    x = freedom / (freedom + statistic**2)
    # Compute the other tail from 1 - x = t² / (ν + t²), which is exact when x is nearly 1.
    return _incomplete_beta(freedom / 2, 0.5, x, statistic**2 / (freedom + statistic**2))


@lru_cache(maxsize=4096)
def two_sided_quantile(p_value: float, *, freedom: int) -> float:
    """Return the t for which P(|T| >= t) is `p_value`, by bisection.

    Args:
        p_value: between 0 and 1, both excluded.
        freedom: degrees of freedom, 1 or more.
    """
    below, above = 0.0, 1.0
    while two_sided_p_value(above, freedom=freedom) > p_value:
        below, above = above, 2 * above
    while above - below > ACCURACY * above * HALVINGS_LEFT:
        middle = (below + above) / 2
        if two_sided_p_value(middle, freedom=freedom) > p_value:
            below = middle
        else:
            above = middle
    return (below + above) / 2


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Return I_x(a, b); `rest` is 1 - x."""
    if x <= 0:
        return 0.0
    if rest <= 0:
        return 1.0
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    )
    front = math.exp(log_front)
    # The fraction converges quickly on this side of the mean; otherwise the tails are swapped.
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(a, b, x) / a
    return 1.0 - front * _continued_fraction(b, a, rest) / b


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta (Abramowitz & Stegun 26.5.8)."""
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            step = c * d
            result *= step
        if abs(step - 1.0) < ACCURACY:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > SMALLEST else SMALLEST
