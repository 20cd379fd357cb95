"""`stepahead predict`: the past from arguments or standard input, and what comes next."""

import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.client import Service, place
from app.terminal.rendering.figures import number, probability, skill_text
from app.terminal.rendering.problems import CommandError
from app.terminal.rendering.tables import plain_table
from stepahead.connection import Json

STANDARD_INPUT = "-"
LEVELS = (80, 95)
UNIVERSAL = "universal"  # forecasts any series
BETWEEN_NUMBERS = re.compile(r"[\s,;]+")


@dataclass(frozen=True, kw_only=True)
class PredictionOrder:
    """What the user asked for."""

    model: str
    past: Sequence[str] = ()  # arguments; empty or "-" means standard input
    horizon: int | None = None
    steps: int = 1
    top_k: int | None = None
    temperature: float = 0.0
    seed: int | None = None
    levels: Sequence[int] = LEVELS  # of the intervals; empty: no intervals
    series: str | None = None  # of a file
    read: Sequence[str] = ()  # OPTION=VALUE, how to read the file
    target: str | None = None  # column of the file, for a model of any series


def model_and_past(model: str | None, past: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the model and the past of arguments; a number in the model's place is of the past."""
    if model is None:
        return UNIVERSAL, tuple(past)
    words = [word for word in BETWEEN_NUMBERS.split(model) if word]
    if model == STANDARD_INPUT or (words and all(map(_is_number, words))):
        return UNIVERSAL, (model, *past)
    return model, tuple(past)


def run_predict(url: str, order: PredictionOrder, *, as_json: bool) -> None:
    """Send the request and show the answer."""
    given = read_past(order.past)
    is_piped = not order.past or list(order.past) == [STANDARD_INPUT]
    with Service(url) as service:
        kind = service.get(f"/models/{place(order.model.partition('@')[0])}")["kind"]
        check_options(kind, order)
        if kind == "series" and is_piped:
            given = without_header(given)
        answer = service.post("/predict", request_of(kind, order, given))
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        show_answer(Console(highlight=False), answer)


def check_without_file(*, series: str | None, read: Sequence[str] | None, as_csv: bool) -> None:
    """Check that no option was given that needs --file.

    Raises:
        CommandError: one was.
    """
    said = {"--series": series is not None, "--read": bool(read), "--csv": as_csv}
    for option, given in said.items():
        if given:
            raise CommandError(f"{option} needs --file")


def check_options(kind: str, order: PredictionOrder) -> None:
    """Check that the options suit a model of this kind.

    Raises:
        CommandError: one of them does not, or is not a finite number.
    """
    foreign = {
        "--steps": kind == "series" and order.steps != 1,
        "--top-k": kind == "series" and order.top_k is not None,
        "--temperature": kind == "series" and order.temperature != 0,
        "--seed": kind == "series" and order.seed is not None,
        "--horizon": kind == "text" and order.horizon is not None,
        "--level": kind == "text" and tuple(order.levels) != LEVELS,
        "--series": kind == "text" and order.series is not None,
    }
    for option, given in foreign.items():
        if given:
            told = (
                "--horizon says how many steps"
                if kind == "--horizon sets the number of steps"
                else "--steps sets the number of tokens"
            )
            raise CommandError(
                f"{option} does not apply to {order.model}, a model for {kind}; {told}"
            )
    if not math.isfinite(order.temperature):
        raise CommandError(
            f"--temperature {order.temperature} is not a finite number; 0 to 2 are usual"
        )


def read_past(past: Sequence[str]) -> str:
    """Return the arguments as one text, or all of standard input.

    Raises:
        CommandError: there is no input, or it is not UTF-8.
    """
    try:
        given = _past(past)
        given.encode()  # invalid UTF-8 arrives as lone surrogates
    except UnicodeError as error:
        raise CommandError(
            "the input is not UTF-8; convert it with `iconv -f WINDOWS-1252 -t UTF-8`, or use "
            "--file, which detects the encoding"
        ) from error
    return given


def _past(past: Sequence[str]) -> str:
    if past and list(past) != [STANDARD_INPUT]:
        return " ".join(past)
    if not past and sys.stdin.isatty():
        raise CommandError(
            "the past is missing: give numbers or a text after the model's name, or pipe them in: "
            "stepahead predict google-stock 778.81 788.36 786.08, or without a model: "
            "cut -d, -f2 prices.csv | stepahead predict"
        )
    return sys.stdin.read()


def request_of(kind: str, order: PredictionOrder, given: str) -> Json:
    """Return the body of `POST /predict`."""
    fields: Json
    if kind == "series":
        fields = {
            "history": numbers_of(given),
            "horizon": order.horizon,
            "levels": list(order.levels) or None,
        }
    else:
        fields = {
            "text": given.removesuffix("\n"),
            "steps": order.steps,
            "top_k": order.top_k,
            "temperature": order.temperature,
            "seed": order.seed,
        }
    set_ones = {name: value for name, value in fields.items() if value is not None}
    return {"model": order.model, **set_ones}


def without_header(column: str) -> str:
    """Return a column of a file without its name in the first line, and say that it was one."""
    first, _, rest = column.partition("\n")
    name = first.strip().strip('"')
    if not name or not rest.strip() or any(map(_is_number, BETWEEN_NUMBERS.split(name))):
        return column
    print(f"Note: the first line, {name!r}, is read as a header", file=sys.stderr)
    return rest


def numbers_of(text: str) -> list[float]:
    """Return the numbers between spaces, commas, semicolons or line breaks.

    Raises:
        CommandError: something among them is not a number.
    """
    words = [word for word in BETWEEN_NUMBERS.split(text) if word]
    for word in words:
        if not _is_number(word):
            raise CommandError(
                f"{word!r} is not a number, which this model needs (the decimal sign is a point). "
                "From a CSV file, cut one column: cut -d, -f2 prices.csv | tail -n 60"
            )
    return [float(word) for word in words]


def show_answer(console: Console, answer: Json) -> None:
    """Show an answer as a table, followed by its warnings."""
    if answer["kind"] == "series":
        console.print(_series_table(answer))
    else:
        console.print(Text(answer["text"], style="bold"))
        console.print(_text_table(answer))
    console.print(
        f"{answer['model']} version {answer['version']}, "
        f"{skill_text(answer['kind'], answer['skill'])}; logged as {answer['id']}",
        style="dim",
    )
    for warning in answer["warnings"]:
        console.print(Text.assemble(("Note: ", "yellow"), warning))


def _series_table(answer: Json) -> Table:
    steps: list[dict[str, Any]] = answer["predictions"]
    timed = any(step.get("timestamp") for step in steps)
    levels = [interval["level"] for interval in steps[0].get("intervals") or []]
    table = plain_table("step", *(["time"] if timed else []))
    table.add_column("forecast", justify="right", style="bold")
    for level in levels:
        table.add_column(f"{level} % interval", justify="right")
    for step in steps:
        bands = [
            f"{number(band['low'])} – {number(band['high'])}" for band in step["intervals"] or []
        ]
        time = [step["timestamp"] or ""] if timed else []
        table.add_row(str(step["step"]), *time, number(step["value"]), *bands)
    return table


def _text_table(answer: Json) -> Table:
    table = plain_table("step", "token", "probability", "other candidates")
    for step in answer["predictions"]:
        others = [
            f"{_visible(top['token'])} {probability(top['probability'])}"
            for top in step["top"]
            if top["token"] != step["token"]
        ]
        table.add_row(
            str(step["step"]),
            Text(_visible(step["token"]), style="bold"),
            probability(step["probability"]),
            Text(", ".join(others)),
        )
    return table


def _visible(token: str) -> str:
    """Return the token, in quotes unless it is a word, so that a comma or a space can be seen."""
    return token if token.isalnum() else repr(token)


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
