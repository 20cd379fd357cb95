"""The first question to a new version: how does the file continue that it was trained on?"""

from pathlib import Path

from app.reading.content import TextContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from stepahead.connection import Json

CHARACTERS = 200  # from the end of a text; the service trims what the version does not see


def question_after(dataset: Json, path: Path, read: Json) -> tuple[str, Json]:
    """Return the request for what comes after the end of a dataset.

    Args:
        dataset: as it was understood.
        path: the file that it was made from.
        read: the file's `read` options.

    Returns:
        The end of the sentence "What comes after …", and the fields of `POST /predict` except the
        model.
    """
    if dataset["kind"] == "text":
        end = _end_of_text(path, read)
        return repr(end), {"text": end}
    report = dataset["report"]
    # Rows that are planned come after the last value of the target.
    planned = any(column.get("role") == "known ahead" for column in report.get("columns", ()))
    if report["series_count"] > 1:
        # The shortest series may be too short to forecast.
        series = max(report["series"], key=lambda each: each["rows"])
        is_dated = series["end"] and not planned
        told = f"{series['label']}, {series['end']}" if is_dated else series["label"]
        return told, {"dataset": dataset["id"], "series": series["label"]}
    told = "the last row" if planned or not dataset["end"] else dataset["end"]
    return told, {"dataset": dataset["id"]}


def _end_of_text(path: Path, read: Json) -> str:
    """Return the last words of a text file or of a table's text column."""
    content = read_file(path, path.name, ReadOptions.model_validate(read)).content
    text = content.text if isinstance(content, TextContent) else ""
    words = text[-CHARACTERS:].split(" ")
    return " ".join(words[1:] or words).rstrip("\n")
