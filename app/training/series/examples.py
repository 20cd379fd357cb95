"""The training examples of a series run, and how each phase scales and anchors them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.artifact.manifest import Feature
from app.artifact.series_records import MeasuredScaling
from app.errors import Unprocessable
from app.forecasting.anchors import LARGEST_SCALED_TARGET, Anchor
from app.forecasting.drift import inner_deciles
from app.forecasting.histories import joined
from app.forecasting.scaling import Affine, WindowScaling
from app.recipes.recipe import SeriesRecipe
from app.training.series.anchors import SeriesAnchors
from app.training.series.calibration import calibration_starts
from app.training.series.data import Floats, Group, Ids, SeriesData
from app.training.task import Phase

Mask = npt.NDArray[np.bool_]
Singles = npt.NDArray[np.float32]

PREPARED_AT_ONCE = 16_384  # examples; scaling makes several copies in double precision
# How many numbers all examples hold together, 256 MB in single precision. If there are more
# examples, an even selection from each series is taken.
MOST_NUMBERS = 64_000_000
# Examples of a run with `universal`, which forecasts each in about a millisecond.
MOST_WITH_UNIVERSAL = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesExamples:
    """Windows followed by known targets, series after series."""

    recipe: SeriesRecipe
    data: SeriesData
    anchors: SeriesAnchors | None

    @cached_property
    def first(self) -> tuple[Ids, ...]:
        """Return the row of the first target of each example, for each series."""
        horizon = self.recipe.steps_ahead
        every = []
        for group, history in zip(self.data.groups, self.data.histories, strict=True):
            missing = np.concatenate(([0], np.cumsum(~np.isfinite(group.target))))
            origins = history.origins()
            origins = origins[origins + horizon <= len(group.target)]
            every.append(origins[missing[origins + horizon] == missing[origins]])
        numbers = self.data.network_window * len(self.data.features) + horizon
        count = sum(map(len, every))
        step = -(-count * numbers // MOST_NUMBERS)
        if self.anchors is not None and self.anchors.universal is not None:
            step = max(step, -(-count // MOST_WITH_UNIVERSAL))
        return tuple(own[(len(own) - 1) % step :: step] if step > 1 else own for own in every)

    @cached_property
    def series(self) -> Ids:
        """Return the place of each example's series among the groups, (n,)."""
        counts = [len(own) for own in self.first]
        return np.repeat(np.arange(len(counts)), counts)

    def __len__(self) -> int:
        return sum(map(len, self.first))

    def at_least(self, phase: Phase) -> float | None:
        """Return 0 for series that were never negative, since the network may add too large a drop.

        A network without an anchor, such as the chapter's, forecasts as it is.
        """
        if self.anchors is None:
            return None
        stops = [self.known_until(group, phase) for group in self.data.groups]
        values = [group.target[:stop] for group, stop in zip(self.data.groups, stops, strict=True)]
        return 0.0 if bool(np.nanmin(np.concatenate(values)) >= 0) else None

    @cached_property
    def _calibration_starts(self) -> dict[str, int]:
        return calibration_starts(self.data)

    def known_until(self, group: Group, phase: Phase) -> int:
        """Return the row before which a phase's network knows all rows of a series."""
        return group.split.test_start if phase == "judging" else self.stop(group, phase)

    def stop(self, group: Group, phase: Phase) -> int:
        """Return the row before which a phase may measure anything on a series."""
        if phase == "calibrating":
            return self._calibration_starts[group.label]
        return group.split.rows if phase == "refitting" else group.split.validation_start

    def scaling(self, phase: Phase) -> tuple[Affine, Affine] | None:
        """Return the scaling of features and target on the phase's rows; None if per window."""
        if self.recipe.scaling == "window":
            return None
        group = self.data.groups[0]
        stop = self.stop(group, phase)
        measure = Affine.minmax if self.recipe.scaling == "minmax" else Affine.standard
        try:
            return measure(group.inputs[:stop]), measure(group.target[:stop, None])
        except ValueError as error:
            raise Unprocessable(f"the training rows cannot be scaled: {error}") from error

    def told_scaling(self, phase: Phase) -> MeasuredScaling | None:
        """Return the scaling as the manifest has it, for readers who compute without the graph."""
        scaling = self.scaling(phase)
        if scaling is None:
            return None
        features, target = scaling
        return MeasuredScaling(
            center=tuple(features.center.tolist()),
            scale=tuple(features.scale.tolist()),
            target_center=float(target.center[0]),
            target_scale=float(target.scale[0]),
        )

    def anchor(self, phase: Phase) -> Anchor | None:
        """Return the anchor, fitted on a phase's rows."""
        return None if self.anchors is None else self.anchors.by_phase[phase]

    def number(self, series: int) -> int:
        """Return the number by which a graph knows a series; 0 stands for any other series."""
        anchor = self.anchor("refitting")
        return series + 1 if anchor is not None and anchor.series > 1 else 0

    def seen(self, windows: Floats) -> Floats:
        """Return the part of windows (n, window, features) that the network sees."""
        return windows[:, -self.data.network_window :]

    def scale(
        self,
        windows: Floats,
        targets: Floats,
        phase: Phase,
        numbers: Ids,
        future: Floats | None = None,
    ) -> tuple[Singles, Singles]:
        """Scale windows and targets (n, horizon) to the network's unit.

        Args:
            windows: (n, window, features).
            targets: (n, horizon).
            phase: the phase whose scaling is used.
            numbers: (n,) of the series.
            future: (n, horizon, known), of the steps ahead; needed for targets only.
        """
        scaling, inputs = self.scaling(phase), self.seen(windows)
        center = self._center(windows, phase, numbers, future)
        index = self.data.target_index or 0
        if scaling is None:
            own = WindowScaling.of(inputs)
            scaled = (targets - center) / own.scale[:, :, index]
            scaled = np.clip(scaled, -LARGEST_SCALED_TARGET, LARGEST_SCALED_TARGET)
            return own.transform(inputs).astype(np.float32), scaled.astype(np.float32)
        features, target = scaling
        return (
            features.transform(inputs).astype(np.float32),
            ((targets - center) / target.scale).astype(np.float32),
        )

    def unscale(
        self,
        outputs: Floats,
        windows: Floats,
        phase: Phase,
        numbers: Ids,
        future: Floats | None = None,
        *,
        universal: Floats | None = None,
    ) -> Floats:
        """Return forecasts (n, horizon) in the target's unit from the network's outputs.

        `universal` are the forecasts that the graph has of it, if it has a share of the anchor.
        """
        scaling = self.scaling(phase)
        index = self.data.target_index or 0
        if scaling is None:
            scale = WindowScaling.of(self.seen(windows)).scale[:, :, index]
        else:
            scale = scaling[1].scale
        center = self._center(windows, phase, numbers, future, universal=universal)
        unscaled: Floats = center + scale * outputs
        return unscaled

    def _center(
        self,
        windows: Floats,
        phase: Phase,
        numbers: Ids,
        future: Floats | None,
        *,
        universal: Floats | None = None,
    ) -> Floats:
        """Return what the network's output is added to, (n, horizon) or one column."""
        anchor, scaling = self.anchor(phase), self.scaling(phase)
        index = self.data.target_index or 0
        if anchor is not None:
            places = list(self.data.with_effects)
            columns = windows[:, :, places] if places else None
            target = windows[:, :, index]
            if len(anchor.universal) and universal is None and self.anchors is not None:
                member = self.anchors.member(phase)
                plain = anchor.without_effects(target, numbers, columns)
                universal = None if member is None else member.of_windows(plain)
            return anchor.forecasts(
                target, numbers, columns=columns, future=future, universal=universal
            )
        return windows[:, -1:, index] if scaling is None else scaling[1].center[None]

    def scaled(self, phase: Phase) -> tuple[Singles, Singles]:
        """Return inputs and targets of all examples in the network's unit."""
        features, horizon = len(self.data.features), self.recipe.steps_ahead
        inputs = np.empty((len(self), self.data.network_window, features), np.float32)
        targets = np.empty((len(self), horizon), np.float32)
        at = 0
        for series, first in enumerate(self.first):
            for part in _parts(first):
                windows, ahead, future = self._of(series, part)
                rows = slice(at, at + len(part))
                numbers = np.full(len(part), self.number(series))
                inputs[rows], targets[rows] = self.scale(windows, ahead, phase, numbers, future)
                at += len(part)
        return inputs, targets

    def chosen(self, numbers: Ids) -> tuple[Floats, Floats, Ids, Floats | None]:
        """Return raw windows, targets, series numbers and known columns ahead of some examples.

        Args:
            numbers: (n,) places among all examples, rising; they come in this order.
        """
        starts = np.concatenate(([0], np.cumsum([len(own) for own in self.first])))
        parts, futures = [], []
        for series, first in enumerate(self.first):
            own = numbers[(numbers >= starts[series]) & (numbers < starts[series + 1])]
            if len(own):
                windows, ahead, future = self._of(series, first[own - starts[series]])
                parts.append((windows, ahead, np.full(len(own), self.number(series))))
                futures.append(future)
        windows, ahead, of_series = (np.concatenate(each) for each in zip(*parts, strict=True))
        return windows, ahead, of_series, joined(futures)

    def _of(self, series: int, first: Ids) -> tuple[Floats, Floats, Floats | None]:
        """Return the raw windows, targets and known columns ahead of examples of one series."""
        group, history = self.data.groups[series], self.data.histories[series]
        ahead = group.target[first[:, None] + np.arange(self.recipe.steps_ahead)]
        future = self.data.known_ahead(series, first, self.recipe.steps_ahead)
        return history.windows(first), ahead, future

    @cached_property
    def usable(self) -> Mask:
        """Return which examples to learn from: those whose target window is flat have no unit."""
        if self.recipe.scaling != "window":
            return np.ones(len(self), dtype=bool)
        index = self.data.target_index or 0
        flat = [
            WindowScaling.of(self.seen(self._of(series, part)[0])).flat[:, index]
            for series, first in enumerate(self.first)
            for part in _parts(first)
        ]
        return ~np.concatenate(flat) if flat else np.ones(0, dtype=bool)

    def parts(self, phase: Phase) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return the indices of the examples to train and to validate on."""
        training, validation = self._of_phase(phase)
        return (
            np.flatnonzero(training & self.usable).astype(np.int32),
            np.flatnonzero(validation & self.usable).astype(np.int32),
        )

    def _of_phase(self, phase: Phase) -> tuple[Mask, Mask]:
        """Return the examples (n,) in the training rows and in the validation rows."""
        horizon = self.recipe.steps_ahead
        training, validation = [], []
        for group, first in zip(self.data.groups, self.first, strict=True):
            ends = first + horizon
            training.append(ends <= self.known_until(group, phase))
            inside = (first >= group.split.validation_start) & (ends <= group.split.test_start)
            validation.append(inside & (phase != "refitting"))
        return np.concatenate(training), np.concatenate(validation)


def _parts(first: Ids) -> list[Ids]:
    """Yield the examples of a series in parts that fit into memory."""
    return [
        first[start : start + PREPARED_AT_ONCE] for start in range(0, len(first), PREPARED_AT_ONCE)
    ]


def feature_of(name: str, column: Floats) -> Feature:
    """Describe an input column by its values in the training rows."""
    return Feature(
        name=name,
        low=float(np.nanmin(column)),
        high=float(np.nanmax(column)),
        quantiles=inner_deciles(column),
    )
