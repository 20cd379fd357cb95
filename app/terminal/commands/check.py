"""`stepahead check`: how a file is understood, without a service.

The file is read in this process, with the same code as in the service's reader. A command is a
process of its own that Ctrl-C ends, so it needs no child process to be safe from a malicious file.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.reader import ReadResult, read_file
from app.reading.report import UnreadableFile
from app.terminal.commands.piped import whole_file
from app.terminal.commands.read_flags import read_options
from app.terminal.rendering.figures import number
from app.terminal.rendering.preflight import show_report
from app.terminal.rendering.preflight_details import show_details
from app.terminal.rendering.problems import CommandError, Refused
from app.terminal.rendering.sketch import sketch
from stepahead.connection import Json

HEIGHT = 6
WIDEST = 100
LABELS_NAMED = 10
SHORTEST_LINE = 20


def run_check(
    file: Path, read: Sequence[str], *, column: str | None, series: str | None, as_json: bool
) -> None:
    """Read the file and show the report."""
    result = understood(file, read_options(read))
    report: Json = result.report.model_dump(mode="json")
    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    show_report(console, report)
    show_details(console, report)
    if isinstance(result.content, SeriesContent):
        show_sketch(console, result.content, column=column, series=series)
    else:
        console.print(Text("\n" + result.content.text[: HEIGHT * WIDEST].strip()))
    if not file.is_file():
        return  # a pipe has been used up
    options = [part for option in read for part in ("--read", option)]
    command = shlex.join(["stepahead", "train", str(file), *options])
    console.print(f"\nTo train on it: {command}", style="dim", markup=False, soft_wrap=True)


def understood(file: Path, read: Json) -> ReadResult:
    """Return the file as the service would read it.

    Raises:
        Refused: it cannot be used; shown with the report so far.
        CommandError: it cannot be opened.
    """
    try:
        with whole_file(file) as whole:
            return read_file(whole, whole.name, ReadOptions.model_validate(read))
    except UnreadableFile as error:
        raise Refused(error.status, error.problem()) from error
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error}") from error


def show_sketch(
    console: Console, content: SeriesContent, *, column: str | None, series: str | None
) -> None:
    """Plot one column of one series; by default the first.

    Raises:
        CommandError: the file has no such column or series.
    """
    shown = known("column", column or content.columns[0], content.columns)
    label = known("series", content.labels[0] if series is None else series, content.labels)
    one = content.of_series(label)
    values = one.column(shown)
    if len(values) < 2:
        return
    finite = values[abs(values) < float("inf")]
    if not len(finite):
        return
    marks = [number(float(finite.max())), number(float(finite.min()))]
    margin = max(map(len, marks))
    width = max(SHORTEST_LINE, min(console.width, WIDEST) - margin - 1)
    lines = sketch(values, width=width, height=HEIGHT)
    marks = [marks[0], *[""] * (len(lines) - 2), marks[1]]
    title = f"{shown} of {label}" if label else shown
    console.print(Text(f"\n{' ' * margin} {title}", style="bold"))
    for mark, line in zip(marks, lines, strict=True):
        console.print(Text(f"{mark:>{margin}} {line}"), no_wrap=True, overflow="crop")
    ends = [one.time_iso(0) or "row 1", one.time_iso(len(one) - 1) or f"row {len(one)}"]
    gap = max(1, width - len(ends[0]) - len(ends[1]))
    console.print(Text(f"{' ' * margin} {ends[0]}{' ' * gap}{ends[1]}", style="dim"))


def known(what: str, name: str, names: Sequence[str]) -> str:
    """Return the name if it is one of the names.

    Raises:
        CommandError: it is not; the message lists them.
    """
    if name not in names:
        more = ", …" if len(names) > LABELS_NAMED else ""
        there = ", ".join(map(repr, names[:LABELS_NAMED]))
        raise CommandError(f"there is no {what} {name!r} in the file; it has {there}{more}")
    return name
