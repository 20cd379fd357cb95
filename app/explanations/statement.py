"""What a measured memory means, in one sentence."""

from app.artifact.manifest import Manifest
from app.artifact.scorecard import Memory, Scorecard

MEASURED_ON = {
    "test": "rows of the version's test set",
    "held-out": "rows that were held out when the version was judged",
    "training": "rows the version was trained on, because nothing was held out",
}


def measured_on(scorecard: Scorecard, manifest: Manifest) -> str:
    """Return the data of a measurement, in words."""
    told = MEASURED_ON[scorecard.judged_on]
    if manifest.refitted:
        told += ", and fitted on after that"
    return told


def reached(memory: Memory) -> int:
    """Return the largest number of steps back from which a layer's state reaches the output."""
    return max(layer.reached for layer in memory.layers)


def statement(memory: Memory, manifest: Manifest) -> str:
    """Return how far back the memory reaches, compared with the window."""
    far, steps = reached(memory), memory.steps
    if far == 0:
        return "no gradient flows back, because the network adds nothing to its anchor"
    if manifest.window is None:
        if far < steps:
            return f"of what it reads, the last {_steps(far)} the output"
        return f"all {steps} measured steps reach the output, and possibly more"
    if manifest.window == 1:
        return "the window is a single step, so there is no past to remember"
    if far < steps:
        return f"the window of {steps} is longer than the {_steps(far, that='that ')} the output"
    return f"all {steps} steps of the window reach the output"


def _steps(count: int, *, that: str = "") -> str:
    return f"1 step {that}reaches" if count == 1 else f"{count} steps {that}reach"
