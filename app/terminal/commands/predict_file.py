"""`stepahead predict MODEL --file F`: what comes after the end of a file.

The file is read in this process. Only its end goes to the service, as history and timestamps, and
nothing but the prediction is stored.
"""

import csv
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from app.reading.content import SeriesContent, TextContent, known_ahead
from app.terminal.client import Service, place
from app.terminal.commands.check import known, understood
from app.terminal.commands.predict import PredictionOrder, check_options, request_of, show_answer
from app.terminal.commands.read_flags import read_options
from app.terminal.rendering.problems import CommandError, Refused
from stepahead.connection import Json

CHARACTERS = 2000  # from the end of a text; the service trims what the version does not see
TOGETHER = 200  # series per call


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The prediction after one series of the file, or after its text."""

    label: str  # "" if the file has only one series, or is a text
    after: str  # time of its last row
    answer: Json | None
    problem: Json | None


def ask_after_file(service: Service, order: PredictionOrder, file: Path) -> list[Answer]:
    """Request a prediction for each series of the file, or for the one that the order names.

    Raises:
        CommandError, Refused: the file cannot be used, or does not fit the model.
    """
    version = version_of(service, order.model)
    check_options(version["kind"], order)
    understanding = understood(file, read_options(order.read))
    content = understanding.content
    manifest: Json = version["manifest"]
    if isinstance(content, TextContent) != (version["kind"] == "text"):
        kind = "text" if isinstance(content, TextContent) else "series"
        raise CommandError(
            f"{file} is a {kind} file, but {order.model} is a model for {version['kind']}; see "
            f"`stepahead check {file}`"
        )
    if isinstance(content, TextContent):
        end = _end(content.text)
        answer = service.post("/predict", request_of("text", order, end))
        return [Answer(label="", after="", answer=answer, problem=None)]
    described: Json = manifest["series"]
    names = _asked_for(described, [feature["name"] for feature in described["features"]])
    if described.get("periods"):  # it forecasts any column
        names = (order.target or understanding.report.target or content.columns[0],)
    elif order.target is not None:
        raise CommandError(
            f"--target is for universal; {order.model} predicts {described['target']}"
        )
    for name in names:
        known("column", name, (*content.columns, *content.category_names))
    rows = max(manifest["window"] or 0, manifest["min_history"])
    ends = content.complete(names).tail(rows)
    if order.series is not None:
        ends = ends.of_series(known("series", order.series, content.labels))
    ahead_columns = _asked_for(described, described.get("known") or ())  # older ones have none
    ahead = {
        label: known_ahead(
            content.of_series(label),
            features=names,
            known=ahead_columns,
            rows=order.horizon or manifest["horizon"],
        )
        for label in (ends.labels if ahead_columns else ())
    }
    return list(_asked(service, order, ends, names, ahead))


def _asked_for(described: Json, features: Sequence[str]) -> tuple[str, ...]:
    """Return columns as a request names them: categories in place of their features."""
    sources = {
        name: each["name"]
        for each in described.get("categories") or ()
        for name in each["features"]
    }
    return tuple(dict.fromkeys(sources.get(name, name) for name in features))


def run_predict_after(
    url: str, order: PredictionOrder, file: Path, *, as_csv: bool, as_json: bool
) -> None:
    """Predict what comes after the file, and show it.

    Raises:
        CommandError, Refused: at least one series got no answer.
    """
    if order.past:
        raise CommandError("give either numbers or --file, not both")
    with Service(url) as service:
        answers = ask_after_file(service, order, file)
    if as_json:
        items = [each.answer or {"error": each.problem} for each in answers]
        shown = items[0] if len(items) == 1 else {"items": items}
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    elif as_csv:
        write_csv(answers)
    else:
        show(answers, console=Console(highlight=False))
    problem = refused(answers)
    if problem is not None:
        raise problem


def version_of(service: Service, reference: str) -> Json:
    """Return the version that a reference points at now.

    Raises:
        CommandError: the model has no such version or alias.
    """
    name, _, wanted = reference.partition("@")
    model = service.get(f"/models/{place(name)}")
    number = wanted if wanted.isdecimal() else model["aliases"].get(wanted or "champion")
    if number is None:
        there = ", ".join(model["aliases"]) or "none"
        raise CommandError(f"{name} has no alias {wanted or 'champion'}; its aliases: {there}")
    return service.get(f"/models/{place(name)}/versions/{number}")


def show(answers: Sequence[Answer], *, console: Console) -> None:
    """Show each answer as a table."""
    for each in answers:
        if each.answer is not None:
            told = " of ".join(filter(None, [each.after, each.label]))
            if told:
                console.print(Text(f"After {told}:", style="bold"))
            show_answer(console, each.answer)


def write_csv(answers: Sequence[Answer]) -> None:
    """Write the forecasts as CSV to standard output, and the warnings to standard error."""
    given = [each for each in answers if each.answer is not None]
    lines = [line for each in given for line in _lines(each)]
    columns = list(dict.fromkeys(itertools.chain.from_iterable(lines)))
    if not columns:
        return
    writer = csv.DictWriter(sys.stdout, fieldnames=columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    told: dict[str, None] = {}
    for each in given:
        told.update(dict.fromkeys((each.answer or {})["warnings"]))
    for warning in told:
        print(f"Note: {warning}", file=sys.stderr)


def refused(answers: Sequence[Answer]) -> CommandError | None:
    """Return the error to end with if some series got no answer."""
    problems = [each for each in answers if each.problem is not None]
    if not problems:
        return None
    if len(answers) == 1 and problems[0].problem is not None:
        return Refused(problems[0].problem["status"], problems[0].problem)
    lines = [f"  {each.label}: {(each.problem or {}).get('detail')}" for each in problems]
    return CommandError(
        "\n".join([f"{len(problems)} of {len(answers)} series got no answer:", *lines])
    )


def _end(text: str) -> str:
    """Return the last words of a text, none of them cut: the model may not know half a word."""
    if len(text) <= CHARACTERS:
        return text.rstrip("\n")
    words = text[-CHARACTERS:].split(" ")
    return " ".join(words[1:] or words).rstrip("\n")


def _asked(
    service: Service,
    order: PredictionOrder,
    ends: SeriesContent,
    names: tuple[str, ...],
    ahead: Mapping[str, dict[str, list[float] | list[str]]],
) -> Iterator[Answer]:
    parts = [*ends.every_series()]
    for group in _groups(parts):
        items = [_request(order, part, names, ahead.get(part.labels[0])) for part in group]
        answers = service.post("/predict/batch", {"items": items})["items"]
        for part, answer in zip(group, answers, strict=True):
            problem = answer.get("error")
            yield Answer(
                label=part.labels[0],
                after=(part.time_iso(len(part) - 1) if len(part) else None) or "the last row",
                answer=None if problem else answer,
                problem=problem,
            )


def _groups(parts: Sequence[SeriesContent]) -> Iterator[Sequence[SeriesContent]]:
    for start in range(0, len(parts), TOGETHER):
        yield parts[start : start + TOGETHER]


def _request(
    order: PredictionOrder,
    part: SeriesContent,
    names: tuple[str, ...],
    future: dict[str, list[float] | list[str]] | None,
) -> Json:
    history = {name: part.cells(name) for name in names}
    fields: Json = {
        "model": order.model,
        "history": history if len(names) > 1 else history[names[0]],
        "timestamps": part.row_times_iso() or None,
        "future": future,
        "series": part.labels[0] or None,
        "horizon": order.horizon,
        "levels": list(order.levels) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _lines(each: Answer) -> Iterator[dict[str, object]]:
    answer: Json = each.answer or {}
    for step in answer["predictions"]:
        line: dict[str, object] = {"series": each.label} if each.label else {}
        line["step"] = step["step"]
        if answer["kind"] == "text":
            yield {**line, "token": step["token"], "probability": step["probability"]}
            continue
        if step["timestamp"] is not None:
            line["time"] = step["timestamp"]
        line["forecast"] = step["value"]
        for band in step["intervals"] or []:
            line[f"low_{band['level']}"] = band["low"]
            line[f"high_{band['level']}"] = band["high"]
        yield line
