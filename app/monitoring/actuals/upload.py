"""Actuals from a file, which is read like a dataset."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.artifact.manifest import Manifest
from app.errors import NotFound, Unprocessable
from app.monitoring.actuals.items import FOR_TEXTS, agreed
from app.monitoring.actuals.moments import moment_of
from app.monitoring.actuals.schemas import MAX_NAME_CHARACTERS
from app.monitoring.actuals.store import Given
from app.reading.content import DatasetContent, SeriesContent
from app.registry.store import find_model, resolve

SHOWN_CHARACTERS = 40  # of a name that is too long


@dataclass(frozen=True, kw_only=True)
class FileFields:
    """What the call says about the file."""

    model: str
    series: str | None
    target: str | None


def given_by_file(session: Session, content: DatasetContent, said: FileFields) -> list[Given]:
    """Return the actuals in a file, one per row, by series and time.

    Raises:
        Unprocessable: it is a text, has no times, or its column is ambiguous.
    """
    try:
        kind = find_model(session, said.model).kind
    except NotFound as error:
        raise Unprocessable.at("model", error.detail) from error
    if kind != "series":
        raise Unprocessable.at("model", f"{said.model!r} {FOR_TEXTS}")
    if not isinstance(content, SeriesContent):
        raise Unprocessable.at("file", "is a text, but actuals are numbers over time")
    if content.times is None:
        raise Unprocessable.at(
            "file",
            "has no times to find predictions by; for predictions without timestamps, send actuals "
            "as JSON with their prediction ids",
        )
    column = _column(session, content, said)
    labels = _labels(content, said)
    values = content.column(column)
    times = content.row_times_iso()
    return agreed(
        (
            f"file, {times[row]}",
            Given(
                model=said.model,
                series=labels[int(content.series[row])],
                moment=moment_of(times[row]),
                timestamp=times[row],
                value=float(values[row]),
                prediction_id=None,
            ),
        )
        for row in np.flatnonzero(np.isfinite(values))
    )


def _labels(content: SeriesContent, said: FileFields) -> list[str]:
    if said.series is None:
        longest = max(content.labels, key=len)
        if len(longest) > MAX_NAME_CHARACTERS:
            raise Unprocessable.at(
                "file",
                f"the series {longest[:SHOWN_CHARACTERS]!r}… has a name of {len(longest):,} "
                f"characters, but predictions have at most {MAX_NAME_CHARACTERS}",
            )
        return list(content.labels)
    if len(content.labels) > 1:
        raise Unprocessable.at(
            "series",
            f"must be left out, because the file itself names {len(content.labels)} series",
        )
    return [said.series]


def _column(session: Session, content: SeriesContent, said: FileFields) -> str:
    """Return the target's column: as named, or as the champion names it, or the only one."""
    there = ", ".join(content.columns)
    if said.target is not None:
        if said.target not in content.columns:
            raise Unprocessable.at("target", f"no column {said.target!r}; there are {there}")
        return said.target
    target = _target_of_champion(session, said.model)
    if target in content.columns:
        return target
    if len(content.columns) == 1:
        return content.columns[0]
    raise Unprocessable.at(
        "target", f"no column of the file is called {target!r}; name one of {there}"
    )


def _target_of_champion(session: Session, model: str) -> str:
    try:
        manifest = Manifest.model_validate(resolve(session, model).manifest)
    except NotFound:  # no champion at the moment
        return ""
    return "" if manifest.series is None else manifest.series.target
