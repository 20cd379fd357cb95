"""Explain a forecast."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from app.artifact.files import HISTORY, UNIVERSAL_FORECAST
from app.artifact.manifest import Manifest
from app.cells.influence import one_output
from app.errors import StepaheadError, Unprocessable
from app.explanations.anchors import target_index
from app.explanations.layers import opened_layers
from app.explanations.limits import check_size, influence_of
from app.explanations.network_cache import Opened
from app.explanations.reconstruction import Anchored, Prepared, prepare
from app.explanations.schemas import (
    Anchor,
    ExplainRequest,
    SeriesExplanation,
    SeriesInfluence,
)
from app.explanations.universal import Contributions, contributions
from app.forecasting import anchors as forms
from app.predictions.loaded import Loaded
from app.predictions.open_steps import OpenSteps, open_steps
from app.predictions.questions import completed
from app.predictions.schemas import Interval, PredictRequest, SeriesStep
from app.predictions.series import SeriesQuestion, answer, beside_of, warnings_of

Floats = NDArray[np.float64]
STEPS = TypeAdapter(list[SeriesStep])


@dataclass(frozen=True, kw_only=True)
class Forecasts:
    """The forecasts of a version's networks from a window."""

    prepared: Prepared
    members: Floats  # (members, horizon)

    @property
    def together(self) -> Floats:
        """The version's forecast (horizon,): the mean over its members."""
        mean: Floats = self.members.mean(axis=0)
        return mean


def forecasts(
    window: Floats,
    manifest: Manifest,
    opened: Opened,
    *,
    number: int = 0,
    future: Floats | None = None,
    universal: Contributions | None = None,
) -> Forecasts:
    """Return the forecasts from a raw window (window, features).

    Raises:
        Conflict: the manifest does not say how the version was scaled.
    """
    prepared = prepare(
        window, manifest, opened.anchor, number=number, future=future, universal=universal
    )
    members = [
        prepared.forecast(
            network.forward(prepared.scaled[None], every_step=False).outputs[0]  # (horizon,)
        )
        for network in opened.networks
    ]
    return Forecasts(prepared=prepared, members=np.stack(members))


def _measurable(
    window: Floats, version: Loaded, opened: Opened, question: SeriesQuestion, *, shown: int
) -> Forecasts:
    """Return the forecasts of a question.

    Raises:
        Unprocessable: they are not finite.
    """
    future = None
    if question.future:
        future = np.array(question.future).T[: version.manifest.horizon]  # (horizon, known)
    found = forecasts(
        window,
        version.manifest,
        opened,
        number=question.number,
        future=future,
        universal=_universal(window, version, question, shown=shown),
    )
    if not np.isfinite(found.members).all():
        raise Unprocessable.at("history", "has values that are too large to forecast from")
    return found


def _universal(
    window: Floats, version: Loaded, question: SeriesQuestion, *, shown: int
) -> Contributions | None:
    """Return how the share of `universal` depends on the target's window; None without a share."""
    described = version.manifest.series
    if described is None or not described.has_universal:
        return None
    target = target_index(described)

    def run(windows: Floats) -> Floats:
        whole = np.tile(window, (len(windows), 1, 1))  # (n, window, features)
        whole[:, :, target] = windows
        beside = beside_of(version, [question] * len(windows))
        found: Floats = version.run({HISTORY: whole, **beside}, [UNIVERSAL_FORECAST])[
            UNIVERSAL_FORECAST
        ]
        return found

    return contributions(run, window[:, target], shown=shown)


def explain(
    version: Loaded,
    opened: Opened,
    request: ExplainRequest,
    *,
    question: SeriesQuestion,
    asked: PredictRequest,
) -> SeriesExplanation:
    """Explain a forecast.

    Args:
        version: that would answer.
        opened: its networks.
        request: what to explain and to show.
        question: the prediction, as `POST /predict` reads it.
        asked: the request, with the stored history if it named a dataset.

    Raises:
        Unprocessable: the version does not forecast this step, or the explanation would be too
            large.
        Conflict: the version cannot be computed without its graph.
    """
    window = np.array(question.columns, dtype=np.float64).T  # (window, features)
    asked_ahead, ahead = request.ahead or 1, _ahead(version, request, question)
    network, shown = opened.networks[request.member - 1], min(request.steps, len(window))
    seen = min(shown, version.network_window)
    check_size(network, steps=seen, units=request.units)
    found = _measurable(window, version, opened, question, shown=shown)
    prepared = found.prepared
    trace = network.forward(prepared.scaled[None], every_step=False)
    influence = influence_of(network, prepared.scaled, one_output(ahead - 1), field="model")
    in_unit = np.zeros(window.shape)  # (window, features); the network sees its newest rows
    in_unit[-len(influence.values) :] = prepared.scale * influence.values
    anchor_shares = prepared.anchored.shares[:, ahead - 1]  # (window,)
    raised = prepared.forecast(trace.outputs[0]) - prepared.added(trace.outputs[0])  # (horizon,)
    return SeriesExplanation(
        model=version.model,
        version=version.number,
        kind="series",
        member=request.member,
        members=len(opened.networks),
        cell=version.manifest.recipe.cell,
        steps=len(window),
        shown=shown,
        forecasts=_answered(version, question, found.together.tolist()),
        ahead=asked_ahead,
        intervals=_intervals(question, ahead),
        value=float(found.members[request.member - 1, ahead - 1]),
        anchor=_anchor(prepared.anchored, opened.anchor, ahead=ahead, shown=shown),
        raised=float(raised[ahead - 1]),
        baseline=prepared.scale * influence.baseline,
        gap=prepared.scale * influence.gap,
        earlier=float(in_unit[:-shown].sum()),
        inputs=_inputs(
            version.manifest, window[-shown:], in_unit[-shown:], anchor_shares[-shown:], asked
        ),
        layers=opened_layers(trace.layers, steps=seen, units=request.units),
        skill=version.skill_over(1),
        warnings=list(warnings_of(version, question)),
    )


def _ahead(version: Loaded, request: ExplainRequest, question: SeriesQuestion) -> int:
    """Return which step of the graph is explained, counted from 1; closed days are steps, too."""
    asked = request.ahead or 1
    places = _open_steps(version, question, asked)
    ahead = places[-1] + 1 if places else asked
    if ahead > version.manifest.horizon:
        raise Unprocessable.at(
            "ahead",
            f"is {asked}, but {version} forecasts {version.manifest.horizon} steps at once; beyond "
            "that, forecasts are fed back and depend on several predictions",
        )
    return ahead


def _answered(version: Loaded, question: SeriesQuestion, forecasts: list[float]) -> list[float]:
    """Return the forecasts of the graph's steps that are on open days."""
    places = _open_steps(version, question, len(forecasts))
    return [forecasts[place] for place in places if place < len(forecasts)] or forecasts


def _open_steps(version: Loaded, question: SeriesQuestion, steps: int) -> OpenSteps:
    described = version.manifest.series
    return () if described is None else open_steps(described, question.stamps, steps)


def _anchor(anchored: Anchored, anchor: forms.Anchor | None, *, ahead: int, shown: int) -> Anchor:
    """Return the anchor's part of a step's forecast."""
    return Anchor(
        name=anchored.name,
        season=None if anchor is None else anchor.season,
        value=float(anchored.forecast[ahead - 1]),
        start=float(anchored.start[ahead - 1]),
        earlier=float(anchored.shares[:-shown, ahead - 1].sum()),
    )


def _intervals(question: SeriesQuestion, ahead: int) -> list[Interval] | None:
    """Return the intervals of one step, from the version's graph."""
    if not question.levels:
        return None
    (outcome,) = completed(answer([question._replace(steps=ahead, open_steps=())]))
    if isinstance(outcome, StepaheadError):
        raise outcome
    return STEPS.validate_python(outcome["predictions"])[ahead - 1].intervals


def _inputs(
    manifest: Manifest,
    window: Floats,
    influence: Floats,
    anchor: Floats,
    asked: PredictRequest,
) -> list[SeriesInfluence]:
    """Return the steps shown, oldest first.

    Args:
        manifest: of the version.
        window: (shown, features)
        influence: (shown, features)
        anchor: (shown,)
        asked: the request, for the timestamps.
    """
    names = manifest.series.columns_read if manifest.series else ()
    shown = len(window)
    given = (asked.timestamps or [])[-shown:]
    # A short history is padded in front, with values that have no time.
    times: list[str | None] = [*[None] * (shown - len(given)), *given]
    return [
        SeriesInfluence(
            step=number - shown + 1,
            timestamp=times[number],
            values=dict(zip(names, values.tolist(), strict=True)),
            influence=dict(zip(names, shares.tolist(), strict=True)),
            anchor=float(own),
        )
        for number, (values, shares, own) in enumerate(zip(window, influence, anchor, strict=True))
    ]
