"""Decide on which days a file had no rows because it was closed, and which rows are missing."""

from app.reading.arrays import Times
from app.reading.decisions import Candidate, count_of, settled, weigh
from app.reading.holidays import WEEKS, Fit, dated_calendar, fitting_calendars
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem, Report
from app.reading.series.calendar import EXCEPT, Calendar, parse_calendar
from app.reading.series.closures import LONGEST_CLOSURE, absent_days, with_closed_days

SURELY_CLOSED = 0.05  # a share of the weekdays up to which closed days need not be doubted
_GAPS_ARE_DATA = {"error", "fill", "zero"}  # settings of `gaps` that say that rows are missing


def decide_calendar(times: Times | None, options: ReadOptions, report: Report) -> str | None:
    """Return the calendar of a file, with the closed days of a market or country that fits.

    Args:
        times: civil times of the rows, of all series; None if there are none.
        options: how to read the file.
        report: with frequency and calendar as found; the calendar's title and the decision are
            added.

    Raises:
        FileProblem: the rows cannot have the calendar that `read` names.
    """
    if options.calendar is not None:
        calendar = _named(options.calendar, times, report)
        report.calendar = parse_calendar(calendar).title
        if EXCEPT in calendar:
            report.decide(settled("calendar", report.calendar, "", told=True))
        return calendar
    week = report.calendar or WEEKS.get(report.frequency or "")
    if times is None or not len(times) or week is None or options.gaps in _GAPS_ARE_DATA:
        return report.calendar
    if not _by_day_or_session(report) or not (fits := fitting_calendars(times, week)):
        return report.calendar
    report.decide(weigh("calendar", [_candidate(fit) for fit in fits] + [_none(week, fits[0])])[1])
    report.calendar = fits[0].calendar.title
    return str(fits[0].calendar)


def with_gaps_decided(
    times: Times | None, calendar: str | None, options: ReadOptions, report: Report
) -> Calendar | None:
    """Return the calendar by which gaps are counted: days that pass for closed are none.

    Where `read` says that gaps are filled or an error, only dates that the calendar lists are
    closed. Otherwise the other days that pass for closed are reported as a decision.
    """
    if times is None or report.frequency is None or not len(times):
        return None
    known = None if calendar is None else parse_calendar(calendar)
    if options.gaps in _GAPS_ARE_DATA:
        return known
    counted = with_closed_days(times, report.frequency, calendar)
    if counted is None or counted.closed is None or counted == known:
        return counted
    if report.decision("calendar") is None:
        listed = () if known is None else known.closed or ()
        _decide_unlisted(counted, len(counted.closed) - len(listed), times, report)
    return counted


def _named(text: str, times: Times | None, report: Report) -> str:
    """Return the calendar that `read` names, with its dates."""
    try:
        return dated_calendar(text, frequency=report.frequency, weekly=report.calendar, times=times)
    except ValueError as error:
        raise FileProblem(f"the calendar {text!r} {error}", field="read.calendar") from error


def _by_day_or_session(report: Report) -> bool:
    """Return whether the rows are of single days or of sessions."""
    return report.frequency in {"B", "C", "D"} or ":" in (report.calendar or "")


def _candidate(fit: Fit) -> Candidate[str]:
    """Return a calendar with the days that speak for it and against it."""
    name = fit.calendar.closed_by
    days = fit.explained + fit.unexplained
    reason = f"{fit.explained} of the {count_of(days, 'day', 'days')} without a row are its"
    rules = [(float(fit.explained), f"{reason} closed days")]
    if fit.unexplained:
        rules.append((-float(fit.unexplained), f"{fit.unexplained} of them are not"))
    if fit.contradicted:
        rules.append((-float(fit.contradicted), f"{fit.contradicted} of them have a row"))
    return Candidate(name, f"closed days of {name}", {"calendar": name}, rules)


def _none(week: str, best: Fit) -> Candidate[str]:
    """Return the reading by which no day is closed."""
    against = (
        float(best.contradicted + best.unexplained),
        "days that do not fit the best calendar",
    )
    rules = [against] if against[0] else []
    return Candidate("", "missing rows", {"calendar": f"{week}{EXCEPT}none"}, rules)


def _decide_unlisted(calendar: Calendar, count: int, times: Times, report: Report) -> None:
    """Report days that pass for closed without a calendar that lists them."""
    weekly = calendar.weekly
    share = count / len(absent_days(times, parse_calendar(weekly))[1])
    reason = (
        f"no series has a row on {count_of(count, 'day', 'days')} of {weekly} ({share:.1%}), and "
        f"at most {LONGEST_CLOSURE} of them follow each other"
    )
    points = 2.0 if share <= SURELY_CLOSED or count <= LONGEST_CLOSURE else 0.5
    closed = f"{count_of(count, 'day', 'days')} closed"
    candidates = [
        Candidate("closed", closed, None, [(points, reason)]),
        Candidate("missing", "missing rows", {"calendar": f"{weekly}{EXCEPT}none"}, []),
    ]
    report.decide(weigh("calendar", candidates)[1])
