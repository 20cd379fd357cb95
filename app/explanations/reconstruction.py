"""A series version without its graph: how the window is scaled, and what the output means.

This is the same arithmetic as in the artifact's ONNX file, from manifest and weights only:

    forecast = anchor + scale · network(scaled window), at least the version's minimum

The share of `universal` in an anchor is measured on the version's graph, which contains it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.artifact.manifest import Manifest, SeriesInput
from app.errors import Conflict
from app.explanations.anchors import target_index
from app.explanations.universal import Contributions
from app.forecasting.anchors import LARGEST_VALUE, Anchor
from app.forecasting.scaling import Affine, WindowScaling
from app.recipes.recipe import SeriesRecipe

Floats = NDArray[np.float64]

# As in the graph, so that finite inputs stay finite.
LARGEST_SCALED = 1e9


@dataclass(frozen=True, kw_only=True)
class Anchored:
    """The forecast for an output of 0, in the target's unit."""

    name: str
    start: Floats  # (horizon,), the forecast if every value were the last one
    shares: Floats  # (window, horizon), contribution of each step's distance from the last

    @property
    def forecast(self) -> Floats:
        """The forecast of each step, (horizon,)."""
        whole: Floats = self.start + self.shares.sum(axis=0)
        return whole

    @classmethod
    def fixed(cls, name: str, value: float, *, window: int, horizon: int) -> "Anchored":
        """Return an anchor with the same value for every step, independent of the window."""
        return cls(name=name, start=np.full(horizon, value), shares=np.zeros((window, horizon)))


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A window scaled for the network, and how to scale back."""

    scaled: Floats  # (network window, features), the network's input
    anchored: Anchored
    scale: float  # contribution of an output of 1
    at_least: float | None = None  # minimum of a forecast

    def forecast(self, outputs: Floats) -> Floats:
        """Return the forecasts for outputs (horizon,), in the target's unit."""
        result = self.added(outputs)
        return result if self.at_least is None else np.maximum(result, self.at_least)

    def added(self, outputs: Floats) -> Floats:
        """Return the forecasts before the minimum is applied."""
        result: Floats = self.anchored.forecast + self.scale * outputs
        return result


def prepare(
    window: Floats,
    manifest: Manifest,
    anchor: Anchor | None,
    *,
    number: int = 0,
    future: Floats | None = None,
    universal: Contributions | None = None,
) -> Prepared:
    """Scale a raw window (window, features) of a series as its version does.

    Args:
        window: raw values.
        manifest: the version's.
        anchor: that its network is added to.
        number: by which the graph knows the series.
        future: (horizon, known), the columns known ahead.
        universal: how its share of the anchor depends on the target's window, if it has one.

    Raises:
        Conflict: the version's manifest does not say how it was scaled.
    """
    recipe, described = manifest.recipe, manifest.series
    if not isinstance(recipe, SeriesRecipe) or described is None:
        raise TypeError("not a series version")
    horizon = manifest.horizon
    values = np.clip(window, -LARGEST_VALUE, LARGEST_VALUE)
    anchored = None
    if anchor is not None:
        ahead_first = (*described.columns_ahead, *described.expected)
        with_effects = [described.columns_read.index(name) for name in ahead_first]
        planned = None if future is None else future[None]
        seen, ahead = anchor.added(number, values[None, :, with_effects], planned)
        anchored = _anchored(
            values[:, target_index(described)],
            anchor,
            number,
            seen=seen[0],
            ahead=ahead[0],
            universal=universal,
        )
    seen = values[-(described.network_window or len(values)) :]
    if recipe.scaling == "window":
        own, index = WindowScaling.of(seen[None]), target_index(described)
        # Scaled separately, a window is centred on its last value, which is persistence.
        last = float(own.center[0, 0, index])
        return Prepared(
            scaled=own.transform(seen[None])[0],  # (network window, features)
            anchored=anchored
            or Anchored.fixed("persistence", last, window=len(window), horizon=horizon),
            scale=float(own.scale[0, 0, index]),
            at_least=described.at_least,
        )
    features, target = _measured(recipe, described)
    center = float(target.center[0])
    return Prepared(
        scaled=np.clip(features.transform(seen), -LARGEST_SCALED, LARGEST_SCALED),
        anchored=anchored or Anchored.fixed("none", center, window=len(window), horizon=horizon),
        scale=float(target.scale[0]),
        at_least=described.at_least,
    )


def _anchored(
    values: Floats,
    anchor: Anchor,
    number: int,
    *,
    seen: Floats,
    ahead: Floats,
    universal: Contributions | None,
) -> Anchored:
    """Split the anchor's forecast into parts, on the target's window (window,).

    What other columns add is taken off the window (`seen`) and belongs to the start of each
    step ahead (`ahead`).

    In logarithms the steps multiply: what they change together is shared out in proportion to what
    each adds there.
    """
    scale = anchor.scales[number]
    scaled = scale.into(values) - seen  # (window,)
    start = anchor.start(scaled[None, -1:], number)[0]  # (horizon,)
    added = (scaled - scaled[-1])[:, None] * anchor.weights[number]  # (window, horizon)
    if universal is not None and len(anchor.universal):
        share = anchor.universal[number]
        change = scale.into(universal.forecast) - scaled[-1]  # (horizon,)
        start = (1 - share) * start + share * scaled[-1]
        added = (1 - share) * added + share * universal.scaled_to(change)
    start = start + ahead
    if not scale.log:
        return Anchored(name=anchor.name, start=start, shares=added)
    together = added.sum(axis=0)  # (horizon,)
    change = scale.out_of(start + together) - scale.out_of(start)
    share = np.divide(added, together, out=np.zeros_like(added), where=together != 0)
    return Anchored(name=anchor.name, start=scale.out_of(start), shares=share * change)


def _measured(recipe: SeriesRecipe, described: SeriesInput) -> tuple[Affine, Affine]:
    """Return the scaling of features and target, as measured on the training rows."""
    if described.scaling is not None:
        measured = described.scaling
        features = Affine(center=np.array(measured.center), scale=np.array(measured.scale))
        target = Affine(
            center=np.array([measured.target_center]), scale=np.array([measured.target_scale])
        )
        return features, target
    if recipe.scaling != "minmax":
        raise Conflict(
            "this version's manifest does not say how its training rows were scaled; train it "
            "again to explain it"
        )
    ends = [[feature.low, feature.high] for feature in described.features]
    features = Affine.minmax(np.array(ends).T)  # from (2, features)
    return features, features.column(target_index(described))
