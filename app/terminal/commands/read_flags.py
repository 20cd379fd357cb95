"""`--read OPTION=VALUE`: how to read a file, as in the service's `read`."""

import json
from collections.abc import Sequence

from pydantic import ValidationError

from app.reading.read_options import ReadOptions
from app.terminal.rendering.problems import CommandError
from app.validation_messages import message_of
from stepahead.connection import Json

SPELLED = {"tab": "\t", "\\t": "\t", "space": " ", "blank": " "}
TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def read_options(texts: Sequence[str]) -> Json:
    """Return the `read` object that the options make.

    Values are written without quotes: `decimal=,` and `date=2017` (a column of that name). An empty
    value means that there is none: `series=`.

    Raises:
        CommandError: an option has no `=`, or is invalid.
    """
    said: Json = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise CommandError(
                f"--read takes OPTION=VALUE, for example --read decimal=, and got {text!r}"
            )
        said[name] = _value(name, value)
    try:
        ReadOptions.model_validate(said)
    except ValidationError as error:
        raise CommandError("\n".join(_lines(error))) from error
    return said


def _value(name: str, value: str) -> object:
    if name == "header":
        return TRUTH.get(value.strip().lower(), value)
    if name == "delimiter":
        return SPELLED.get(value, value)
    if value.startswith('"'):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _lines(error: ValidationError) -> list[str]:
    lines = []
    for entry in error.errors(include_url=False):
        name = ".".join(map(str, entry["loc"]))
        message = message_of(entry)
        if entry["type"] == "extra_forbidden":
            message = f"is not an option; the options are {', '.join(ReadOptions.model_fields)}"
        lines.append(f"--read {name}: {message}")
    return lines
