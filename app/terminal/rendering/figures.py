"""Numbers, percentages, times and durations, formatted for reading."""

from datetime import UTC, datetime

SIGNIFICANT_DIGITS = 6
DIGITS_OF_A_DOUBLE = 15
MEASURED_DIGITS = 4


def number(value: float | None, *, digits: int = SIGNIFICANT_DIGITS) -> str:
    """Return a number with six significant digits; thousands are not abbreviated."""
    if value is None:
        return "–"
    told = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in told and abs(value) < 10**DIGITS_OF_A_DOUBLE else told


def measured(value: float | None) -> str:
    """Return a measured figure with four significant digits."""
    return number(value, digits=MEASURED_DIGITS)


LEAST_SHOWN = 0.001  # probabilities below this, or so close to certainty, are shown as bounds


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{100 * share:.1f} %"


def probability(value: float) -> str:
    """Return a probability in percent; certainty is only claimed where it is certain."""
    if value < LEAST_SHOWN:
        return "< 0.1 %"
    return "> 99.9 %" if 1 - LEAST_SHOWN < value < 1 else percent(value)


def skill_text(kind: str, skill: float | None) -> str:
    """Return a skill in words."""
    simple = "repeating the last value" if kind == "series" else "the n-gram"
    if skill is None:
        return f"not measured against {simple}"
    if skill == 0:
        return f"measured as good as {simple}"
    word = "better" if skill > 0 else "worse"
    return f"measured {percent(abs(skill))} {word} than {simple}"


def skill_figure(skill: float | None) -> str:
    """Return a skill with its sign."""
    return "–" if skill is None else f"{skill:+.2f}"


def local_time(text: str | None) -> str:
    """Return one of the service's times in the local time zone, to the minute."""
    if text is None:
        return "–"
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def ago(text: str | None, now: datetime | None = None) -> str:
    """Return how long before now one of the service's times is, in its largest unit."""
    if text is None:
        return "–"
    moment = datetime.fromisoformat(text)
    passed = (now or datetime.now(UTC)) - moment.replace(tzinfo=moment.tzinfo or UTC)
    for seconds, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if passed.total_seconds() >= seconds:
            return f"{passed.total_seconds() // seconds:.0f} {unit} ago"
    return "just now"


def duration(seconds: float | None) -> str:
    """Return a duration in seconds, or in minutes and seconds."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"
