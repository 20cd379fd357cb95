"""The histories on which `universal` goes on being trained, cut from the series of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.training.series.data import Floats, Ids
from app.training.universal.form import CONTEXT, HORIZON, LEAST_VALUES, PATCH, STEPS, Form

CONTEXTS = (128, 256, 512, CONTEXT)
SPARSE_FROM = 512  # context from which one of four origins counts instead of one of two
# Of all series together; if there are more, an even selection.
MOST_TRAINING = 2_048
MOST_VALIDATION = 192


@dataclass(frozen=True, kw_only=True, eq=False)
class Tunable:
    """A series as `universal` sees it."""

    values: Floats  # (rows,), without the effects of other columns; NaN where missing
    validation_start: int
    test_start: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Histories:
    """Histories with what follows, for a `TuningProgram`."""

    series: Floats  # (n, context + HORIZON), NaN where missing, unknown yet, or not to be seen
    counted: Ids  # (n,), the first place whose value counts as a target

    def __len__(self) -> int:
        return len(self.series)


def form_for(rows: int) -> Form:
    """Return the smallest form that sees this many rows, or the largest."""
    context = next((each for each in CONTEXTS if each >= rows), CONTEXT)
    return Form(context=context, steps=min(STEPS, context // PATCH))


def every_of(form: Form) -> int:
    """Return of how many origins one counts."""
    return 4 if form.context >= SPARSE_FROM else 2


def training_histories(series: Sequence[Tunable], stops: Sequence[int], form: Form) -> Histories:
    """Return histories that end anywhere before the stop of each series, and see nothing after."""
    found = []
    for place, (each, stop) in enumerate(zip(series, stops, strict=True)):
        first = _first(each.values) + LEAST_VALUES + PATCH
        if first <= stop:
            found.append((place, np.arange(first, stop + 1)))
    return _cut(series, _spread(found, MOST_TRAINING), stops, [0] * len(series), form)


def validation_histories(series: Sequence[Tunable], form: Form) -> Histories:
    """Return histories whose targets are the validation rows, each of them from many origins."""
    seen = form.steps * PATCH
    found = []
    for place, each in enumerate(series):
        rows = each.test_start - each.validation_start
        if rows <= 0 or not np.isfinite(each.values[: each.validation_start]).any():
            continue
        blocks = each.test_start - seen * np.arange(-(-rows // seen))
        found.append((place, np.sort((blocks[:, None] - np.arange(PATCH)).ravel())))
    starts = [each.validation_start for each in series]
    stops = [each.test_start for each in series]
    return _cut(series, _spread(found, MOST_VALIDATION), stops, starts, form)


def _first(values: Floats) -> int:
    known = np.flatnonzero(np.isfinite(values))
    return int(known[0]) if len(known) else len(values)


def _spread(found: Sequence[tuple[int, Ids]], most: int) -> list[tuple[int, int]]:
    """Return (series, end) of each history, an even selection if there are more than `most`."""
    every = [(place, int(end)) for place, ends in found for end in ends]
    if len(every) <= most:
        return every
    return [every[number] for number in np.linspace(0, len(every) - 1, most).astype(int)]


def _cut(
    series: Sequence[Tunable],
    found: Sequence[tuple[int, int]],
    stops: Sequence[int],
    starts: Sequence[int],
    form: Form,
) -> Histories:
    """Cut histories that end at some rows.

    Args:
        series: all of them.
        found: place of the series and end of each history.
        stops: row of each series from which on nothing is seen.
        starts: row of each series from which on values count as targets.
        form: has the context.
    """
    length = form.context + HORIZON
    cut = np.full((len(found), length), np.nan)
    counted = np.empty(len(found), np.int64)
    for row, (place, end) in enumerate(found):
        first, last = end - form.context, min(end + HORIZON, stops[place])
        own = series[place].values[max(first, 0) : last]
        begin = max(-first, 0)
        cut[row, begin : begin + len(own)] = own
        counted[row] = max(starts[place] - first, 0)
    return Histories(series=cut, counted=counted)
