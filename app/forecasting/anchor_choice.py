"""Choosing an anchor: its errors on rows that it was not fitted on, beside those of persistence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.forecasting.anchors import Anchor, persistence
from app.forecasting.metrics import diebold_mariano, rmse

Floats = NDArray[np.float64]

PERSISTENCE = "persistence"
# By so many standard errors a candidate must lead persistence. On 60 to 240 rows, half of one cost
# 0.2 to 0.5 % on random walks, where a whole one cost 0.1 %, and gained up to 3 % where there was
# structure; none at all cost 0.1 to 1.3 %.
STANDARD_ERRORS = 0.5
# A form that is less steady must lead by so many: it gains little where it is right.
FORM_STANDARD_ERRORS = 2.0
# Fewer origins tell nothing of a difference.
FEWEST_ORIGINS = 8

# A candidate fitted on windows (n, window) and targets (n, horizon).
# Raises ValueError or LinAlgError: it cannot be.
Fit = Callable[[Floats, Floats], Anchor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Origins to compare the candidates on, and the examples before them to fit on."""

    windows: Floats  # (n, window), the target's values to fit on
    targets: Floats  # (n, horizon)
    later_windows: Floats  # (m, window), to compare on; oldest first, series after series
    later_targets: Floats  # (m, horizon)
    unit: Floats  # (m, 1), what the errors of each origin are measured in: its series' own scale


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The outcome."""

    name: str
    origins: int
    errors: dict[str, float]  # RMSE over all origins and steps, in units of `Block.unit`
    missing: dict[str, str]  # why a candidate has none
    forms: dict[str, int]  # which of a candidate's forms it was


def choose(candidates: Mapping[str, Sequence[Fit]], blocks: Sequence[Block]) -> Chosen:
    """The candidate with the smallest RMSE of those that lead persistence by more than noise.

    Noise is half a standard error of the mean difference of squared errors, as Diebold & Mariano
    estimate it. If none leads by more, persistence it is; so too with fewer than 8 origins.

    Args:
        candidates: how each is fitted, by name; persistence needs no place among them. Of several
            forms, the steadiest first, a later one counts if it leads those before it.
        blocks: stretches of time, oldest first, each with what lies before it to fit on.
    """
    horizon = blocks[0].targets.shape[1] if blocks else 1
    window = blocks[0].windows.shape[1] if blocks else 1
    base = persistence(window=window, horizon=horizon)
    errors = {PERSISTENCE: _errors(lambda _w, _t: base, blocks)}
    missing: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name, forms in candidates.items():
        for number, fit in enumerate(forms):
            try:
                own = _errors(fit, blocks)
            except (ValueError, np.linalg.LinAlgError) as error:
                missing.setdefault(name, str(error))
                continue
            if name not in errors or _leads(own, errors[name], horizon, by=FORM_STANDARD_ERRORS):
                errors[name], numbers[name] = own, number
    figures = {name: rmse(own, np.zeros_like(own)) for name, own in errors.items()}
    leading = [
        name
        for name in errors
        if name != PERSISTENCE
        and _leads(errors[name], errors[PERSISTENCE], horizon, by=STANDARD_ERRORS)
    ]
    return Chosen(
        name=min(leading, key=lambda name: figures[name], default=PERSISTENCE),
        origins=len(errors[PERSISTENCE]),
        errors=figures,
        missing={name: why for name, why in missing.items() if name not in errors},
        forms=numbers,
    )


def _errors(fit: Fit, blocks: Sequence[Block]) -> Floats:
    """Errors (origins, horizon) of a candidate, fitted anew before each block."""
    parts = [np.empty((0, blocks[0].targets.shape[1] if blocks else 1))]
    for block in blocks:
        given = fit(block.windows, block.targets).forecasts(block.later_windows)
        parts.append((given - block.later_targets) / block.unit)
    errors = np.concatenate(parts)
    if not np.isfinite(errors).all():
        raise ValueError("its errors are too large to be measured")
    return errors


def _leads(errors: Floats, other_errors: Floats, horizon: int, *, by: float) -> bool:
    if len(errors) < FEWEST_ORIGINS:
        return False
    # One loss per origin: the steps of a forecast are not told apart.
    own, other = (np.sqrt((each**2).mean(axis=1)) for each in (errors, other_errors))
    test = diebold_mariano(own, other, horizon=horizon)
    if np.isnan(test.statistic):  # as where a straight line goes on
        return float((own**2).mean()) < float((other**2).mean()) * (1 - 1e-9)
    return test.statistic < -by
