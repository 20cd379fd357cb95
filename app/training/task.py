"""Define what a run needs from series and text alike: plans, graphs, judgement, manifest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy.typing as npt

from app.artifact.manifest import SeriesInput, TextInput
from app.artifact.scorecard import Memory
from app.judging.judgement import JudgedOn, Judgement
from app.training.architecture import Architecture, Weights
from app.training.fit import Plan
from app.training.series.calibration import SeriesCalibration

# `training` uses the rows before the cut, `refitting` all rows. `calibrating` uses the first rows
# before the cut, if no others were kept on which intervals could be calibrated. `judging` fits
# nothing: it is the network of `training` on an anchor that also saw the validation rows, as the
# baselines in the comparison have.
Phase = Literal["training", "judging", "refitting", "calibrating"]
LARGEST_PARITY_GAP = 1e-4


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the manifest says about the served network."""

    window: int | None
    min_history: int
    horizon: int
    series: SeriesInput | None = None
    text: TextInput | None = None


class Task(Protocol):
    """A dataset prepared for a recipe. Phases may differ in scaling and vocabulary."""

    @property
    def judged_on(self) -> JudgedOn:
        """The rows that the scorecard's figures are measured on."""

    @property
    def rows_left_for_refit(self) -> bool:
        """Whether phase `training` leaves out rows that `refitting` includes."""

    def architecture(self, phase: Phase) -> Architecture:
        """Return the form of a phase's network."""

    def plan(self, phase: Phase, *, epochs: int | None = None) -> Plan:
        """Return the fit of a phase; `epochs` fixes their number and disables validation."""

    def warm_start(
        self, phase: Phase, fresh: Weights, weights: Weights, vocabulary: tuple[str, ...]
    ) -> Weights:
        """Return another version's weights as initial weights for this phase.

        Args:
            phase: that starts.
            fresh: the initial weights that the phase would have otherwise.
            weights: of the other version.
            vocabulary: of the other version, for text.

        Raises:
            Unprocessable: the networks have different forms.
        """

    def share(self, weights: Weights, check: Callable[[], None]) -> float:
        """Return the share of the network's output to keep, 0 to 1, by the validation rows.

        Args:
            weights: of the network of phase `training`.
            check: called between steps; may raise to stop.
        """

    def graph(self, phase: Phase, weights: Weights) -> bytes:
        """Return the ONNX file of a phase's network."""

    def constants(self, phase: Phase) -> Mapping[str, npt.NDArray[Any]]:
        """Return further arrays for `weights.safetensors` beside the network's weights, by name."""

    def parity_gap(self, phase: Phase, weights: Weights, graph: bytes) -> float:
        """Return the largest difference between ONNX and Keras; series: in standard deviations."""

    def judge(
        self, phase: Phase, weights: Weights, graph: bytes, check: Callable[[], None]
    ) -> Judgement:
        """Compare a phase's network with its baselines; `check` may raise to stop."""

    def memory(self, phase: Phase, weights: Weights) -> Memory | None:
        """Return how far back a phase's network remembers; None if that is not finite."""

    def calibration(self) -> SeriesCalibration | None:
        """Return how a network gets its intervals; None for text, which has none."""

    def describe(self, phase: Phase) -> Description:
        """Return what serving needs to know about a phase's network."""
