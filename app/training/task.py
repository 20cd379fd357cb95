"""What series and text have in common for a run: plans to fit, graphs, judgement, manifest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from app.artifact.manifest import SeriesInput, TextInput
from app.artifact.scorecard import Memory
from app.judging.judgement import JudgedOn, Judgement
from app.training.architecture import Architecture, Weights
from app.training.fit import Plan
from app.training.series.calibration import SeriesCalibration

# `training` fits on the rows before the cut, `refitting` on all rows, `calibrating` on the first of
# those before the cut, where none were kept from the fit that intervals could be calibrated on.
# `judging` fits nothing: it is the network of `training` on an anchor that saw the validation rows
# too, as the baselines that it is judged beside have.
Phase = Literal["training", "judging", "refitting", "calibrating"]
LARGEST_PARITY_GAP = 1e-4


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the manifest says of the served network."""

    window: int | None
    min_history: int
    horizon: int
    series: SeriesInput | None = None
    text: TextInput | None = None


class Task(Protocol):
    """One dataset and one recipe, made ready. Phases may differ in scaling and vocabulary."""

    @property
    def judged_on(self) -> JudgedOn:
        """What the scorecard's figures are measured on."""

    @property
    def rows_left_for_refit(self) -> bool:
        """Whether phase `training` leaves rows out that `refitting` takes in."""

    def architecture(self, phase: Phase) -> Architecture:
        """The form of a phase's network."""

    def plan(self, phase: Phase, *, epochs: int | None = None) -> Plan:
        """The fit of a phase; `epochs` fixes their number and switches validation off."""

    def warm_start(
        self, phase: Phase, fresh: Weights, weights: Weights, vocabulary: tuple[str, ...]
    ) -> Weights:
        """Another version's weights as a start for this phase.

        Args:
            phase: whose start it is.
            fresh: the weights that the phase would start with otherwise.
            weights: the other version's.
            vocabulary: the other version's, for text.

        Raises:
            Unprocessable: a network of another form.
        """

    def share(self, weights: Weights) -> float:
        """How much of the trained network's output to keep, 0 to 1, by the validation rows."""

    def graph(self, phase: Phase, weights: Weights) -> bytes:
        """The ONNX file of a phase's network."""

    def constants(self, phase: Phase) -> Mapping[str, npt.NDArray[np.float64]]:
        """What stands in `weights.safetensors` beside the weights of a phase's network, by name."""

    def parity_gap(self, phase: Phase, weights: Weights, graph: bytes) -> float:
        """Largest difference between ONNX and Keras; series: in the target's standard deviation."""

    def judge(
        self, phase: Phase, weights: Weights, graph: bytes, check: Callable[[], None]
    ) -> Judgement:
        """Measures a phase's network beside its baselines; `check` may raise to stop."""

    def memory(self, phase: Phase, weights: Weights) -> Memory | None:
        """How far back a phase's network remembers, on what is judged; None: no finite number."""

    def calibration(self) -> SeriesCalibration | None:
        """How a network gets its intervals; None: text, which has none."""

    def describe(self, phase: Phase) -> Description:
        """What serving needs to know of a phase's network."""
