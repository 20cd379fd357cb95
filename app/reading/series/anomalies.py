"""Report anomalies of a series: sentinels, outliers, constants, contradicting columns."""

import re
from collections.abc import Sequence

import numpy as np

from app.reading.arrays import Codes, Floats, Ints, Places
from app.reading.content import SeriesContent
from app.reading.decisions import Candidate, Cell, weigh
from app.reading.report import LISTED, Contradiction, Outlier, Report

SHORT_ROWS = 30
FEWEST = 5  # minimum number of rows that contradict each other
_FEWEST_MARKS = 3  # minimum number of repeats of a value, and of other values beside it
_MARK_POINTS = 2.0
# number of its digits
_MADE_UP = re.compile(r"1|9+|9+\.9+|[1-9]00|[1-9]000+|3276[78]|65535|1e\+\d+")
NAMED = 5  # short series that are named in a warning
_FAR = 12.0  # in usual steps
_SAMPLED_STEPS = 100_000  # steps, or rows, from which quantiles are taken
_SPLIT_FACTORS = (2.0, 3.0, 4.0, 5.0, 10.0, 0.5, 1 / 3, 0.25, 0.2, 0.1)
_SPLIT_TOLERANCE = 0.05


def check(content: SeriesContent, rows: Ints, report: Report) -> None:
    """Add anomalies to the report.

    Args:
        content: the series as read.
        rows: (rows,) where in the file each row stands.
        report: added to in place.
    """
    marks = _check_sentinels(content, rows, report)
    _check_length(content, report)
    _check_constant(content, report)
    _check_outliers(content, rows, report, marks)
    report.contradictions = contradictions(content, rows)
    report.note(*(entry.message for entry in report.contradictions))


def _check_sentinels(content: SeriesContent, rows: Ints, report: Report) -> dict[int, float]:
    """Warn about values that may stand for missing ones; return them by column."""
    found: dict[int, float] = {}
    cells: list[Cell] = []
    for place, name in enumerate(content.columns):
        values = content.values[:, place]
        known = np.isfinite(values)
        mark = _sentinel(values if known.all() else values[known])
        if mark is not None:
            found[place] = mark
            first = int(np.argmax(values == mark))
            cells.append(Cell(row=int(rows[first]), column=name, text=f"{mark:g}"))
    if found:
        marks = ",".join(dict.fromkeys(f"{mark:g}" for mark in found.values()))
        count = sum(int((content.values[:, place] == mark).sum()) for place, mark in found.items())
        kept = (2.0, f"it was read like this in {count} cells")
        lost = (1.5, "it occurs repeatedly, far from the rest", cells)
        candidates = [
            Candidate(False, f"{marks} as a number", None, [kept]),
            Candidate(True, "as a missing value", {"missing": marks}, [lost]),
        ]
        report.decide(weigh("missing", candidates)[1])
    return found


def _sentinel(values: Floats) -> float | None:
    """Return an extreme value, not 0, that is repeated and far from the others."""
    for mark in (values.min(initial=0.0), values.max(initial=0.0)):
        count = int(np.count_nonzero(values == mark)) if mark else 0
        if count < _FEWEST_MARKS:
            continue
        rest = values[values != mark]
        if len(np.unique(rest[:_SAMPLED_STEPS])) < _FEWEST_MARKS:
            continue
        low, high = float(rest.min()), float(rest.max())
        rules = [
            (_MADE_UP.fullmatch(f"{abs(mark):g}") is not None, 1.0),
            (mark < 0 <= low, 1.0),
            (min(abs(mark - low), abs(mark - high)) > high - low, 1.5),
            (count > np.unique(rest, return_counts=True)[1].max(), 0.5),
        ]
        if sum(points for holds, points in rules if holds) >= _MARK_POINTS:
            return float(mark)
    return None


def _check_length(content: SeriesContent, report: Report) -> None:
    counts = np.bincount(content.series, minlength=len(content.labels))
    short = [int(place) for place in np.flatnonzero(counts < SHORT_ROWS)]
    report.too_short = [content.labels[place] for place in short[:LISTED]]
    if short and len(content.labels) == 1:
        report.note(f"There are only {counts[0]} rows: little to learn from.")
    elif short:
        named = ", ".join(
            f"{content.labels[place]!r} has {counts[place]}" for place in short[:NAMED]
        )
        more = f" and {len(short) - NAMED} more" if len(short) > NAMED else ""
        report.note(
            f"{len(short)} of {len(content.labels)} series {'has' if len(short) == 1 else 'have'} "
            f"fewer than {SHORT_ROWS} rows: {named}{more}. There is little to learn from so few; "
            "a model leaves out those too short for its window."
        )


def _check_constant(content: SeriesContent, report: Report) -> None:
    for place, name in enumerate(content.columns):
        values = content.values[:, place]
        first = values[:2]
        if len(first) > 1 and not np.isnan(first).any() and first[0] != first[1]:
            continue
        values = values[np.isfinite(values)]
        if len(values) > 1 and bool((values == values[0]).all()):
            report.constant.append(name)
    if report.constant:
        names = ", ".join(report.constant)
        report.note(f"These columns never change: {names}.")


def _check_outliers(
    content: SeriesContent, rows: Ints, report: Report, marks: dict[int, float]
) -> None:
    found: list[tuple[float, int, int]] = []  # distance, row, column
    total = 0
    for place in range(len(content.columns)):
        values = content.values[:, place]
        odd, far = _spikes(values, content.series)
        if place in marks:
            others = values[odd] != marks[place]
            odd, far = odd[others], far[others]
        total += len(odd)
        farthest = np.argsort(-far, kind="stable")[:LISTED]
        found += [(float(far[at]), int(odd[at]), place) for at in farthest]
    report.outlier_count = total
    for _, row, place in sorted(found, key=lambda item: -item[0])[:LISTED]:
        values = content.values[:, place]
        report.outliers.append(
            Outlier(
                series=content.labels[int(content.series[row])],
                column=content.columns[place],
                row=int(rows[row]),
                time=content.time_iso(row),
                value=float(values[row]),
                expected=float(values[row - 1] + values[row + 1]) / 2,
            )
        )
    if total:
        first = report.outliers[0]
        report.note(
            f"{total} values lie far from their neighbors, such as {first.column} "
            f"{first.value:g} in row {first.row}, where about {first.expected:g} was expected."
        )


def _spikes(values: Floats, series: Codes) -> tuple[Places, Floats]:
    """Return the rows whose values are far from both neighbors, and how far in usual steps.

    A spike stands out on both sides; a step to another level does not, as its neighbours on one
    side are like it. The usual step is the one that 9 of 10 steps stay below.
    """
    nothing = np.empty(0, dtype=np.intp), np.empty(0)
    if len(values) < FEWEST:
        return nothing
    with np.errstate(over="ignore"):  # from one end of the range of floats to the other
        steps = np.diff(values)
    if series[0] != series[-1]:
        steps[np.diff(series) != 0] = np.nan
    sizes = np.abs(steps)
    sample = sizes[:: max(len(sizes) // _SAMPLED_STEPS, 1)]
    sample = sample[sample > 0]
    if not len(sample):
        return nothing
    usual = float(np.quantile(sample, 0.9))
    large = sizes > usual  # the others need no closer examination
    places = np.flatnonzero(large[:-1] & large[1:])
    back = np.sign(steps[places]) != np.sign(steps[places + 1])  # away and back again
    places = places[back]
    far = np.minimum(sizes[places], sizes[places + 1]) / usual
    return places[far > _FAR] + 1, far[far > _FAR]


def contradictions(content: SeriesContent, rows: Ints) -> list[Contradiction]:
    """Find rows in which a column is outside the two that bound it, such as Low and High."""
    found: list[Contradiction] = []
    for low_name, high_name, between in _bounds(content.columns):
        low, high = content.column(low_name), content.column(high_name)
        in_order, both = low <= high, [low_name, high_name]
        checks = [(both, low > high, f"{low_name} is above {high_name}")]
        for name in between:
            values = content.column(name)
            outside = ((values < low) | (values > high)) & in_order
            checks.append(([name, *both], outside, f"{name} lies outside {low_name}–{high_name}"))
        for columns, wrong, what in checks:
            places = np.flatnonzero(wrong)
            if not len(places):
                continue
            ends = [content.time_iso(int(at)) or f"row {rows[at]}" for at in places[[0, -1]]]
            message = f"{what} in {len(places)} of {len(content)} rows"
            if columns != both:
                message += "" if content.times is None else f", until {ends[1]}"
                sample = places[:: len(places) // _SAMPLED_STEPS + 1]
                values, middles = content.column(columns[0])[sample], (low + high)[sample] / 2
                message += _unadjusted(values, middles, columns[0])
            entry = {"columns": columns, "rows": len(places), "of": len(content)}
            entry |= {"first": ends[0], "last": ends[1], "message": f"{message}."}
            found.append(Contradiction.model_validate(entry))
    return found


def _bounds(columns: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Return pairs of a minimum and a maximum, with the columns that should be between them."""
    plain = {re.sub(r"[^a-z]+", " ", name.lower()).strip(): name for name in columns}
    pairs = []
    for low_word, high_word in (("low", "high"), ("min", "max"), ("minimum", "maximum")):
        for low, name in plain.items():
            words = low.split()
            if low_word not in words:
                continue
            high = " ".join(high_word if word == low_word else word for word in words)
            if high in plain:
                rest = [word for word in words if word != low_word]
                middles = ["open", "close", "last"] if low_word == "low" else ["mean", "avg"]
                inner = [" ".join([*rest, word]) for word in middles]
                inner += [" ".join([word, *rest]) for word in middles if rest]
                between = [plain[word] for word in dict.fromkeys(inner) if word in plain]
                pairs.append((name, plain[high], between))
    return pairs


def _unadjusted(values: Floats, middles: Floats, name: str) -> str:
    """Explain the contradiction if a whole section is off by the factor of a split."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = values / middles
    factor = float(np.median(ratios))
    near = [split for split in _SPLIT_FACTORS if abs(factor / split - 1) < _SPLIT_TOLERANCE]
    if not near or len(values) < FEWEST:
        return ""
    steady = float(np.mean(np.abs(ratios / factor - 1) < _SPLIT_TOLERANCE))
    if steady < 0.9:
        return ""
    return (
        f": there it is about {factor:.2g} times the others, as if {name} alone had not been "
        "adjusted for a split"
    )
