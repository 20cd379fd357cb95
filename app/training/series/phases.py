"""What each phase of a series' run measures on its rows: scaling, anchor, and what is learnt."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.artifact.series_records import MeasuredScaling, SeriesAnchor
from app.errors import Unprocessable
from app.forecasting.anchors import LARGEST_SCALED_TARGET, Anchor
from app.forecasting.scaling import Affine, WindowScaling
from app.forecasting.windows import Windows, windows
from app.recipes.recipe import SeriesRecipe
from app.training.series.anchor import fit_anchor
from app.training.series.calibration import calibration_starts
from app.training.series.data import Floats, Group, SeriesData
from app.training.task import Phase

SCALED_AT_ONCE = 65_536  # windows; scaling makes several copies in double


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesPhases:
    """The windows of a series, and how each phase scales and anchors them."""

    recipe: SeriesRecipe
    data: SeriesData
    record: SeriesAnchor | None  # which anchor

    @cached_property
    def by_group(self) -> tuple[Windows, ...]:
        """The windows of each series."""
        window, horizon = self.data.window, self.recipe.steps_ahead
        return tuple(
            windows(group.inputs, group.target, window=window, horizon=horizon)
            for group in self.data.groups
        )

    @cached_property
    def windows(self) -> Windows:
        """All of them, series after series."""
        return Windows.join(self.by_group) if len(self.by_group) > 1 else self.by_group[0]

    @cached_property
    def _calibration_starts(self) -> dict[str, int]:
        return calibration_starts(self.data)

    def at_least(self, phase: Phase) -> float | None:
        """0 for a series that was never negative: what is added to an anchor may go too far down.

        A network without an anchor forecasts as it is, the chapter's among them.
        """
        if self.record is None:
            return None
        stops = [self.known_until(group, phase) for group in self.data.groups]
        values = [group.target[:stop] for group, stop in zip(self.data.groups, stops, strict=True)]
        return 0.0 if bool(np.nanmin(np.concatenate(values)) >= 0) else None

    def known_until(self, group: Group, phase: Phase) -> int:
        """The rows of a series that are known to a phase's network end before this one."""
        return group.split.test_start if phase == "judging" else self.stop(group, phase)

    def stop(self, group: Group, phase: Phase) -> int:
        """The rows of a series that a phase may measure anything on end before this one."""
        if phase == "calibrating":
            return self._calibration_starts[group.label]
        return group.split.rows if phase == "refitting" else group.split.validation_start

    def scaling(self, phase: Phase) -> tuple[Affine, Affine] | None:
        """Scaling of features and target, measured on the phase's rows; None: per window."""
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
        """The scaling as the manifest says it, for those who compute without the graph."""
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

    @cached_property
    def _anchors(self) -> dict[Phase, Anchor]:
        return {}  # as they are fitted

    def anchor(self, phase: Phase) -> Anchor | None:
        """The anchor, fitted on a phase's rows."""
        if self.record is None:
            return None
        if phase not in self._anchors:
            training, _ = self._of_phase(phase)
            self._anchors[phase] = fit_anchor(
                self.record,
                self.windows,
                np.flatnonzero(training),
                target=self.data.target_index or 0,
                alone=len(self.data.groups) == 1,
            )
        return self._anchors[phase]

    def scale(
        self, inputs: Floats, targets: Floats, phase: Phase
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Inputs (n, window, features) and targets (n, horizon) in the network's unit."""
        scaling, anchor = self.scaling(phase), self.anchor(phase)
        index = self.data.target_index or 0
        if scaling is None:
            own = WindowScaling.of(inputs)
            if anchor is None:
                scaled = own.transform_targets(targets, feature=index)
            else:
                ahead = targets - anchor.forecasts(inputs[:, :, index])  # (n, horizon)
                scaled = ahead / own.scale[:, :, index]
            scaled = np.clip(scaled, -LARGEST_SCALED_TARGET, LARGEST_SCALED_TARGET)
            return own.transform(inputs).astype(np.float32), scaled.astype(np.float32)
        features, target = scaling
        # (n, horizon), or (1,) without an anchor
        center = target.center if anchor is None else anchor.forecasts(inputs[:, :, index])
        return (
            features.transform(inputs).astype(np.float32),
            ((targets - center) / target.scale).astype(np.float32),
        )

    def unscale(self, outputs: Floats, inputs: Floats, phase: Phase) -> Floats:
        """Forecasts (n, horizon) in the target's unit from the network's outputs."""
        scaling, anchor = self.scaling(phase), self.anchor(phase)
        index = self.data.target_index or 0
        own = WindowScaling.of(inputs) if scaling is None else scaling[1].column(0)
        scale = own.scale[:, :, index] if isinstance(own, WindowScaling) else own.scale
        if anchor is not None:
            return anchor.forecasts(inputs[:, :, index]) + scale * outputs
        center = own.center[:, :, index] if isinstance(own, WindowScaling) else own.center
        unscaled: Floats = center + scale * outputs
        return unscaled

    def scaled(self, phase: Phase) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Inputs and targets of all windows in the network's unit, as `scale` gives them."""
        every = self.windows
        inputs = np.empty(every.inputs.shape, np.float32)
        targets = np.empty(every.targets.shape, np.float32)
        for start in range(0, len(every), SCALED_AT_ONCE):
            part = slice(start, start + SCALED_AT_ONCE)
            inputs[part], targets[part] = self.scale(every.inputs[part], every.targets[part], phase)
        return inputs, targets

    @cached_property
    def usable(self) -> npt.NDArray[np.bool_]:
        """(n,) windows to learn from: not those flat in the target, which have no unit."""
        every = self.windows
        usable = np.ones(len(every), dtype=bool)
        if self.recipe.scaling == "window":
            index = self.data.target_index or 0
            for start in range(0, len(every), SCALED_AT_ONCE):
                part = slice(start, start + SCALED_AT_ONCE)
                usable[part] = ~WindowScaling.of(every.inputs[part]).flat[:, index]
        return usable

    def _of_phase(self, phase: Phase) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """The windows (n,) in the training and in the validation rows, masks."""
        groups = list(zip(self.data.groups, self.by_group, strict=True))
        if phase == "refitting":
            training = np.ones(len(self.windows), dtype=bool)
            validation = ~training
        else:
            starts = [self.known_until(group, phase) for group in self.data.groups]
            training = np.concatenate(
                [
                    own.first + own.horizon <= start
                    for own, start in zip(self.by_group, starts, strict=True)
                ]
            )
            validation = np.concatenate([group.split.validation(own) for group, own in groups])
        return training, validation

    def parts(self, phase: Phase) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Numbers of the windows to train and to validate on."""
        training, validation = self._of_phase(phase)
        return (
            np.flatnonzero(training & self.usable).astype(np.int32),
            np.flatnonzero(validation & self.usable).astype(np.int32),
        )
