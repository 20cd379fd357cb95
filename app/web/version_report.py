"""A version's report: a self-contained page to print."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from app.artifact.manifest import Manifest, SeriesInput
from app.artifact.scorecard import CurvePoint, Scorecard
from app.datasets.store import get_dataset
from app.explanations.statement import statement
from app.http.dependencies import SessionDep
from app.http.openapi import problem_responses
from app.reading.report import Report
from app.registry.aliases import list_aliases
from app.registry.references import MAX_NUMBER
from app.registry.schemas import VersionAnswer
from app.registry.store import get_version
from app.web.assets import SAFE_HEADERS
from app.web.picture import picture
from app.web.rendering import TEMPLATES

router = APIRouter(tags=["models"])

OFTEN = 0.8  # "on 4 of 5 days"
STEP_NAMES = {
    "D": "days",
    "B": "days",
    "C": "days",
    "W": "weeks",
    "MS": "months",
    "ME": "months",
    "h": "hours",
}
JUDGED_ON = {
    "test": "a test set",
    "held-out": "the last part of the data, which it was not trained on",
    "training": "the data it was trained on, because nothing was held out",
}

STYLE = TEMPLATES.get_template("report.css").render()
# The page's style is inline, so that it can be saved as one file; the policy allows its hash.
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; img-src data:; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


@router.get(
    "/models/{name}/versions/{n}/report",
    operation_id="get_report",
    summary="A version's report, as a page to print",
    response_class=HTMLResponse,
    responses={
        200: {"description": "The page", "content": {"text/html": {}}},
        **problem_responses(404, 422),
    },
)
def get_report(
    name: Annotated[str, Path(description="a model's name", examples=["google-stock"])],
    n: Annotated[int, Path(ge=1, le=MAX_NUMBER, description="a version", examples=[1])],
    session: SessionDep,
) -> HTMLResponse:
    """Show data, left-out rows, the curve, the verdict, baselines and limits."""
    row = get_version(session, name, n)
    version = VersionAnswer.of(row, list_aliases(session, [name]))
    dataset = None if row.dataset_id is None else get_dataset(session, row.dataset_id)
    scorecard, manifest = version.scorecard, version.manifest
    curves = [] if scorecard.series is None else curves_by_series(scorecard.series.curve)
    body = TEMPLATES.get_template("report.html").render(
        version=version,
        manifest=manifest,
        scorecard=scorecard,
        filename=None if dataset is None else dataset.filename,
        data=None if dataset is None else Report.model_validate(dataset.report),
        picture=picture(curves[0]) if curves else None,
        drawn=curves[0][0].series if len(curves) > 1 else None,
        drawn_of=len(curves),
        within=within(scorecard, manifest),
        judged_on=JUDGED_ON[scorecard.judged_on],
        limits=limits(scorecard, manifest),
        style=STYLE,
    )
    return HTMLResponse(body, headers={**SAFE_HEADERS, "Content-Security-Policy": POLICY})


def curves_by_series(curve: Sequence[CurvePoint]) -> list[list[CurvePoint]]:
    """Return the held-out curve of each series."""
    curves: dict[str | None, list[CurvePoint]] = {}
    for point in curve:
        curves.setdefault(point.series, []).append(point)
    return list(curves.values())


def within(scorecard: Scorecard, manifest: Manifest) -> str | None:
    """Return the usual size of its errors, in the target's unit, or None without a curve."""
    if scorecard.series is None or not scorecard.series.curve or manifest.series is None:
        return None
    curve = scorecard.series.curve
    off = np.array([abs(point.forecast - point.actual) for point in curve])
    last = np.array([abs(point.persistence - point.actual) for point in curve])
    steps = STEP_NAMES.get(manifest.series.frequency or "", "steps")
    return (
        f"Within ±{np.quantile(off, OFTEN):,.4g} of {manifest.series.target} on 4 of 5 {steps}; "
        f"repeating the last value was within ±{np.quantile(last, OFTEN):,.4g} as often."
    )


def interval_limits(series: SeriesInput) -> list[str]:
    """Return what its intervals are based on, or why it has none."""
    calibrated = series.intervals
    if calibrated is None:
        return (
            [f"It has no intervals: {series.intervals_missing}."]
            if series.intervals_missing
            else []
        )
    if calibrated.method == "quantile regression":
        return [f"Its intervals are quantiles, as learned from {calibrated.calibrated_on}."]
    rests = (
        f"Its intervals are based on {calibrated.forecasts:,} forecasts of "
        f"{calibrated.forecasts_of}, for rows that it had not been fitted on "
        f"({calibrated.calibrated_on}); their width follows {calibrated.volatility}."
    )
    return [rests, *(f"{note[0].upper()}{note[1:]}." for note in calibrated.notes)]


def limits(scorecard: Scorecard, manifest: Manifest) -> list[str]:
    """Return what the figures do not show, in plain sentences."""
    told = list(scorecard.notes)
    if scorecard.skill is None and scorecard.skill_missing:
        told.append(f"No skill could be measured: {scorecard.skill_missing}.")
    if scorecard.network == "judged":
        told.append(
            "The served network was fitted again on all rows after judging; the figures are those "
            "of the network before."
        )
    if manifest.series is not None:
        told.extend(_series_limits(manifest, manifest.series))
    if manifest.text is not None:
        unknown = "an error" if manifest.text.unknown is None else "a warning"
        told.append(
            f"It knows {len(manifest.text.vocabulary):,} tokens; one it was not trained on is "
            f"{unknown}."
        )
    if scorecard.memory is not None:
        told.append(f"How far back it remembers: {statement(scorecard.memory, manifest)}.")
    told.append(
        "What was true of the judged rows need not be true of others: the world may change."
    )
    return told


def _series_limits(manifest: Manifest, series: SeriesInput) -> list[str]:
    """Return which values it knows, how far it forecasts, and what its intervals are based on."""
    seen = [
        f"It has seen {feature.name} between {feature.low:,.6g} and {feature.high:,.6g}; its "
        "forecasts from values beyond that are guesses."
        for feature in series.features
        if not series.periods
    ]
    steps = f"{manifest.horizon} steps" if manifest.horizon > 1 else "one step"
    further = "have intervals that keep growing" if series.periods else "have no intervals"
    reach = (
        f"It needs {manifest.min_history} past values and was trained to forecast {steps}; further "
        f"forecasts are fed back and {further}."
    )
    return [*seen, reach, *interval_limits(series)]
