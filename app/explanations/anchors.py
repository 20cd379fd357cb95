"""What the network's output is added to, told apart from the network."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from app.artifact.manifest import Manifest, SeriesInput
from app.forecasting.anchors import Anchor, persistence
from app.judging.notes import anchor_of


def anchor_from(manifest: Manifest, weights: Mapping[str, NDArray[Any]]) -> Anchor | None:
    """The anchor of a version, from what stands beside its network's weights; None: it has none.

    Raises:
        ValueError: the weights lack it.
    """
    record = anchor_of(manifest)
    if record is None:
        return None
    if record.name == "persistence":
        return persistence(window=manifest.window or 1, horizon=manifest.horizon)
    return Anchor.of_arrays(weights, name=record.name, season=record.season)


def target_index(described: SeriesInput) -> int:
    """Return the target's place among the features.

    Raises:
        ValueError: it is none of them.
    """
    return [feature.name for feature in described.features].index(described.target)
