"""Decide whether days without rows were closed, such as holidays, or are missing."""

from dataclasses import replace

from app.reading.decisions import Candidate, count_of, weigh
from app.reading.read_options import ReadOptions
from app.reading.report import Report
from app.reading.series.calendar import Calendar, parse_calendar
from app.reading.series.closures import LONGEST_CLOSURE, absent_days, with_closed_days
from app.reading.series.frequency import Times

SURELY_CLOSED = 0.05  # a share of the weekdays up to which closed days need not be doubted


def with_closed_days_decided(
    times: Times | None, options: ReadOptions, report: Report
) -> Calendar | None:
    """Return the calendar of a file with its closed days, and report them as a decision.

    Where `read` says that gaps are to be filled, or that they are an error, only dates that the
    calendar lists are closed.
    """
    if times is None or report.frequency is None or not len(times):
        return None
    calendar = with_closed_days(times, report.frequency, report.calendar)
    known = None if report.calendar is None else parse_calendar(report.calendar)
    if calendar is None or calendar.closed is None or calendar == known:
        return calendar
    if options.gaps in {"error", "fill", "zero"}:
        return known
    listed = () if known is None else known.closed or ()
    count = len(calendar.closed) - len(listed)
    weekdays = len(absent_days(times, replace(calendar, closed=None))[1])
    share = count / weekdays
    weekly = str(replace(calendar, closed=None))
    reason = (
        f"no series has a row on {count_of(count, 'day', 'days')} of {weekly} ({share:.1%}), and "
        f"at most {LONGEST_CLOSURE} of them follow each other"
    )
    points = 2.0 if share <= SURELY_CLOSED or count <= LONGEST_CLOSURE else 0.5
    closed = f"{count_of(count, 'day', 'days')} closed"
    candidates = [
        Candidate("closed", closed, None, [(points, reason)]),
        Candidate("missing", "missing rows", {"calendar": f"{weekly} except none"}, []),
    ]
    report.decide(weigh("calendar", candidates)[1])
    return calendar
