"""The anchor of a version: the forecast that its network's output is added to."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from app.artifact.manifest import Manifest, SeriesInput
from app.forecasting.anchors import Anchor, persistence
from app.judging.notes import anchor_of


def anchor_from(manifest: Manifest, weights: Mapping[str, NDArray[Any]]) -> Anchor | None:
    """Return a version's anchor from its weights file, or None if it has no anchor.

    Raises:
        ValueError: the weights lack it.
    """
    record = anchor_of(manifest)
    if record is None:
        return None
    if record.name == "persistence" and not record.effects:
        return persistence(window=manifest.window or 1, horizon=manifest.horizon)
    return Anchor.of_arrays(weights, name=record.name, season=record.season)


def target_index(described: SeriesInput) -> int:
    """Return the target's index among the features.

    Raises:
        ValueError: it is not one of them.
    """
    return [feature.name for feature in described.features].index(described.target)
