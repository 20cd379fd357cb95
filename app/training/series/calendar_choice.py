"""Which inputs a run tries that are computed from the times: those that its anchor cannot know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from app.errors import Unprocessable
from app.reading.arrays import Times
from app.reading.calendar_inputs import (
    NAMES,
    OF_HOLIDAYS,
    PREFIX,
    CalendarColumns,
    Form,
    calendar_forms,
    with_calendar_columns,
)
from app.reading.content import DatasetContent, SeriesContent
from app.reading.holidays import LIKELY_COUNTRIES, canonical_holidays, holiday_dates
from app.reading.series.calendar import parse_calendar
from app.recipes.recipe import SeriesRecipe
from app.training.series.anchors import Settled
from app.training.series.calibration import calibration_starts
from app.training.series.data import Floats, Group, SeriesData

# Days of the rows that effects are estimated on, so that each value is seen several times there.
LEAST_DAYS: Mapping[Form, int] = {
    "hours": 3,
    "weekdays": 14,
    "ends of months": 90,
    "days of the month": 120,
    "waves of a year": 365,
    "months": 365,
    "working days": 730,
}
TOO_FEW_HOLIDAYS = "there are too few holidays in the rows before the cut"
FEWEST_HOLIDAYS = 3  # among the rows that effects are estimated on, and among later ones
# A season carries an input that repeats with it in this share of the rows, up to a change of clocks
# or a leap day.
REPEATED = 0.98
NEARLY = 0.05  # of a wave, whose year is not a whole number of rows
WORKING_DAYS: Form = "working days"


@dataclass(frozen=True, kw_only=True)
class CalendarTrial:
    """The calendar inputs to try."""

    columns: tuple[CalendarColumns, ...] = ()  # of each name the best is used, at most
    why: Mapping[str, str] = field(default_factory=dict)  # why others are not tried, by name
    forced: frozenset[str] = frozenset()  # names of those that the recipe names


NO_CALENDAR = CalendarTrial()


def calendar_trial(
    data: SeriesData,
    recipe: SeriesRecipe,
    settled: Settled | None,
    *,
    test: DatasetContent | None,
    start: tuple[CalendarColumns, ...] | None,
) -> CalendarTrial:
    """Return the inputs to try that the times of a dataset give.

    Args:
        data: the series.
        recipe: what to train. Inputs that it names are used whether they help or not.
        settled: what the anchor is mixed from, whose seasons need not be tried again.
        test: rows to judge on.
        start: those of the version that the run starts from, if any, which it keeps.

    Raises:
        Unprocessable: the recipe names some that the data do not have.
    """
    if start is not None and recipe.features is not None:
        return CalendarTrial(columns=start, forced=frozenset(each.name for each in start))
    named = frozenset(f"{PREFIX}{name}" for name in recipe.calendar_inputs or ())
    forms = calendar_forms(data.content.frequency)
    _check_named(named, {f"{PREFIX}{NAMES[form]}" for form in forms}, data, settled)
    if settled is None or data.content.times is None:
        return CalendarTrial()
    group = max(data.groups, key=lambda each: each.split.test_start)
    times = group.content.times
    why: dict[str, str] = {}
    found = []
    for each in () if times is None else _forms(data, recipe, times):
        reason = None if each.name in named else _left_out(each, data, recipe, test)
        own = _varying(each, group)
        reason = reason or _why_not(own, data, group, settled, is_named=each.name in named)
        if reason is None:
            found.append(own)
        else:
            why[each.name] = reason
    return CalendarTrial(
        columns=tuple(found),
        why={name: reason for name, reason in why.items() if name not in {e.name for e in found}},
        forced=named,
    )


def with_calendar_inputs(data: SeriesData, inputs: tuple[CalendarColumns, ...]) -> SeriesData:
    """Return the same rows with the columns of calendar inputs, which are no features yet."""
    groups = [
        replace(group, content=with_calendar_columns(group.content, inputs))
        for group in data.groups
    ]
    content = with_calendar_columns(data.content, inputs)
    return replace(data, calendar_inputs=inputs, content=content, groups=tuple(groups))


def _check_named(
    named: frozenset[str], there: set[str], data: SeriesData, settled: Settled | None
) -> None:
    """Check that the inputs that a recipe names can be used.

    Raises:
        Unprocessable: they cannot; the message says why.
    """
    if not named:
        return
    if settled is None:
        raise Unprocessable.at(
            "recipe.calendar_inputs", "takes an anchor, whose forecast their effects are added to"
        )
    if data.content.times is None or data.content.frequency is None:
        raise Unprocessable.at(
            "recipe.calendar_inputs", "takes rows with times that have a regular step"
        )
    for name in sorted(named - there):
        raise Unprocessable.at(
            "recipe.calendar_inputs",
            f"{name.removeprefix(PREFIX)!r} says nothing about rows of the frequency "
            f"{data.content.frequency}; there "
            + (", ".join(sorted(each.removeprefix(PREFIX) for each in there)) or "is none"),
        )


def _forms(data: SeriesData, recipe: SeriesRecipe, times: Times) -> Iterator[CalendarColumns]:
    """Yield the inputs of a frequency, those about holidays for each calendar that may suit."""
    frequency = data.content.frequency or ""
    for form in calendar_forms(frequency):
        plain = CalendarColumns(form=form, frequency=frequency)
        if form == WORKING_DAYS and recipe.holidays is not None:
            yield _of_holidays(plain, recipe.holidays, times)
        elif form not in OF_HOLIDAYS:
            yield plain
        elif recipe.holidays is not None:
            yield _of_holidays(plain, recipe.holidays, times)
        else:
            yield from _with_holidays(plain, data.calendar, times)


def _of_holidays(plain: CalendarColumns, name: str, times: Times) -> CalendarColumns:
    """Return an input with the holidays that the recipe names.

    Raises:
        Unprocessable: there is no such market or country.
    """
    try:
        name = canonical_holidays(name)
    except ValueError as error:
        raise Unprocessable.at("recipe.holidays", str(error)) from error
    return replace(plain, holidays=name, dates=holiday_dates(name, times))


def _with_holidays(
    plain: CalendarColumns, calendar: str | None, times: Times
) -> Iterator[CalendarColumns]:
    """Yield an input with the closed days of the calendar, or with the holidays of countries."""
    closed = None if calendar is None else parse_calendar(calendar)
    if closed is not None and closed.closed:
        yield replace(plain, holidays=closed.closed_by or "closed days", dates=closed.closed)
        return
    for name in LIKELY_COUNTRIES:
        yield replace(plain, holidays=name, dates=holiday_dates(name, times))


def _varying(columns: CalendarColumns, group: Group) -> CalendarColumns:
    """Return an input with the columns that vary in the rows before the cut."""
    times = group.content.times
    if times is None:
        return columns
    values = columns.values(times[: group.split.test_start])
    varies = values.min(axis=0, initial=np.inf) < values.max(axis=0, initial=-np.inf)
    kept = [name for name, own in zip(columns.columns, varies, strict=True) if own]
    return replace(columns, kept=tuple(kept))


def _left_out(
    columns: CalendarColumns,
    data: SeriesData,
    recipe: SeriesRecipe,
    test: DatasetContent | None,
) -> str | None:
    """Return why an input is not even looked at."""
    if recipe.calendar_inputs is not None:
        return "the recipe leaves it out"
    if recipe.features is not None:
        return "the recipe names the columns to use"
    if columns.name in data.content.columns:
        return "the file has a column of this name"
    if isinstance(test, SeriesContent) and test.times is None:
        return "the test set has no times"
    return None


def _why_not(
    columns: CalendarColumns, data: SeriesData, group: Group, settled: Settled, *, is_named: bool
) -> str | None:
    """Return why an input is not worth a trial on a series; None if it is.

    One that the recipe names only has to vary.
    """
    times = group.content.times
    if times is None or not columns.columns or is_named:
        unchanged = TOO_FEW_HOLIDAYS if columns.form in OF_HOLIDAYS else "it never changes"
        return None if columns.columns else unchanged
    times = times[: group.split.test_start]
    start = calibration_starts(data)[group.label]
    values = columns.values(times)
    if columns.form in OF_HOLIDAYS:
        holidays = (values != 0).any(axis=1)
        if min(holidays[:start].sum(), holidays[start:].sum()) < FEWEST_HOLIDAYS:
            return TOO_FEW_HOLIDAYS
        return None
    days = 0.0 if start < 1 else (times[start - 1] - times[0]) / np.timedelta64(1, "D")
    if days < LEAST_DAYS[columns.form]:
        return "the rows before the cut are too few to see it often enough"
    carrying = [season for season in settled.seasons if _repeats(values, season)]
    return f"the season of {carrying[0]} rows carries it" if carrying else None


def _repeats(values: Floats, season: int) -> bool:
    """Return whether nearly all rows (rows, columns) are those of the season before."""
    same = np.abs(values[season:] - values[:-season]).max(axis=1) <= NEARLY
    return len(same) > 0 and bool(same.mean() >= REPEATED)
