"""Measure the simple forecasts on known values: the errors of all earlier origins."""

import numpy as np

from app.training.universal.continuations import Continuations, profiles_ahead
from app.training.universal.form import PATCH, SEASONS, TRENDS, Form
from app.training.universal.known import Known
from app.training.universal.ops import Array, Ops

HALF_LIFE = 16.0  # half-life of the mean over origins, in patches
# Patches back to the origin, and steps ahead of it that are in the patch before the current one.
NEAR = ((1, (1, 2, 4, 6, 8)),)
FAR = ((2, (12, 16)), (4, (28, 32)), (8, (60, 64)))
PRIOR_ERRORS = 2.0  # this many errors of the size of a usual change are assumed
FAR_PRIOR = 2.0  # errors further ahead are assumed to be larger by this factor
LEAST_ERROR = 1e-6
LEADS = tuple(range(1, PATCH + 1)) + tuple(lead for _, leads in FAR for lead in leads)

Bands = tuple[tuple[int, tuple[int, ...]], ...]


def measured_profiles(ops: Ops, parts: Continuations, form: Form) -> Array:
    """Return profiles at LEADS, (batch, J, LEADS, origins)."""
    return profiles_ahead(ops, parts, np.array(LEADS, np.float32), slice(0, form.steps), form)


def mean_errors(
    ops: Ops, given: Known, parts: Continuations, profile: Array, *, change: Array, form: Form
) -> tuple[Array, Array]:
    """Return mean absolute errors near and far ahead, each (batch, J, K, origins).

    Args:
        ops: the backend.
        given: the history.
        parts: of the forecasts.
        profile: from `measured_profiles`.
        change: mean change from value to value, (batch, 1, origins).
        form: sizes.
    """
    values, masks = (_by_place(ops, x, form) for x in (given.values, given.mask))
    started = ops.reshape(ops.positive(change_counts(ops, given, form)), -1, 1, 1, form.steps)
    found = []
    for bands, prior in ((NEAR, 1.0), (FAR, FAR_PRIOR)):
        total = number = None
        for back, leads in bands:
            own, count = _errors(
                ops, (values, masks), parts, profile, started, back=back, leads=leads, form=form
            )
            total = own if total is None else total + own
            number = count if number is None else number + count
        expected = ops.reshape(change, -1, 1, 1, form.steps) * (prior * PRIOR_ERRORS)
        causal = ops.constant(_causal(form))
        mean = (ops.matmul(total, causal) + expected) / (ops.matmul(number, causal) + PRIOR_ERRORS)
        found.append(ops.maximum(mean, LEAST_ERROR))
    return found[0], found[1]


def change_counts(ops: Ops, given: Known, form: Form) -> Array:
    """Return the number of values up to each origin, (batch, 1, origins)."""
    per_patch = ops.total(ops.reshape(given.mask, -1, form.patches, PATCH), 2)
    before = np.triu(np.ones((form.patches, form.patches), np.float32))
    before = before[:, form.patches - form.steps :]
    return ops.matmul(ops.reshape(per_patch, -1, 1, form.patches), ops.constant(before))


def _by_place(ops: Ops, x: Array, form: Form) -> Array:
    """Return the patch before each origin, (batch, 1, PATCH, 1, origins)."""
    patched = ops.part(
        ops.reshape(x, -1, form.patches, PATCH), 1, form.patches - form.steps, form.patches
    )
    return ops.reshape(ops.transpose(patched, 0, 2, 1), -1, 1, PATCH, 1, form.steps)


def _errors(
    ops: Ops,
    history: tuple[Array, Array],
    parts: Continuations,
    profile: Array,
    started: Array,
    *,
    back: int,
    leads: tuple[int, ...],
    form: Form,
) -> tuple[Array, Array]:
    """Return summed absolute errors over the patch before each origin, and their number.

    The forecasts are those from `back` patches earlier; the first origins have none.

    Returns:
        (batch, J, K, origins) and (batch, 1, 1, origins).
    """
    kept, count = form.steps - back, len(leads)
    within = [lead - (back - 1) * PATCH - 1 for lead in leads]
    values, mask = (
        ops.concat(
            [ops.part(ops.part(x, 2, place, place + 1), 4, back, form.steps) for place in within],
            2,
        )
        for x in history
    )  # (batch, 1, leads, 1, kept)
    ahead = ops.concat(
        [
            ops.part(ops.part(profile, 2, LEADS.index(lead), LEADS.index(lead) + 1), 3, 0, kept)
            for lead in leads
        ],
        2,
    )
    shape = (-1, len(SEASONS), 1, len(TRENDS), kept)
    levels, slopes = (
        ops.reshape(ops.part(x, 3, 0, kept), *shape) for x in (parts.levels, parts.slopes)
    )
    steps = ops.constant(np.array(leads, np.float32).reshape(1, 1, -1, 1, 1))
    left = values - ops.reshape(ahead, -1, len(SEASONS), count, 1, kept)
    mask = mask * ops.reshape(ops.part(started, 3, 0, kept), -1, 1, 1, 1, kept)
    errors = ops.total(ops.absolute(left - (levels + slopes * steps)) * mask, 2)
    errors = ops.reshape(errors, -1, len(SEASONS), len(TRENDS), kept)
    counts = ops.reshape(ops.total(mask, 2), -1, 1, 1, kept)
    return (
        ops.concat([ops.part(errors, 3, 0, back) * 0.0, errors], 3),
        ops.concat([ops.part(counts, 3, 0, back) * 0.0, counts], 3),
    )


def _causal(form: Form) -> np.ndarray:
    """Return discounted weights of earlier origins, (origins, origins)."""
    lag = np.arange(form.steps)[None] - np.arange(form.steps)[:, None]
    weights = np.where(lag >= 0, 0.5 ** (np.maximum(lag, 0) / HALF_LIFE), 0.0)
    return weights.astype(np.float32)
