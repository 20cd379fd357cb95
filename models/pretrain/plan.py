"""Define what a pretraining run does."""

import math
from dataclasses import dataclass

from app.training.universal.form import CONTEXT, HORIZON, STEPS, Form
from models.pretrain.generator import Layout

WARM_UP = 400  # updates
DECAY_SHARE = 0.3  # of the run, at its end
AVERAGING = 0.999
VALIDATION_SEED = 1_000_003
BLOCK = 960


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A layout of series, and how many of them make an update."""

    name: str
    layout: Layout
    context: int
    steps: int
    batch: int
    every: int  # one of this many origins is trained on, because adjacent ones are nearly the same


KINDS = (
    Kind(
        name="long",
        layout=Layout(context=CONTEXT, horizon=HORIZON, short=False, shortest=100),
        context=CONTEXT,
        steps=STEPS,
        batch=24,
        every=4,
    ),
    Kind(
        name="short",
        layout=Layout(context=128, horizon=HORIZON, short=True, shortest=60),
        context=128,
        steps=16,
        batch=48,
        every=2,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Arguments of a run."""

    seed: int
    minutes: float | None  # of training; None: by updates
    updates: int | None
    units: int
    hidden: int
    learning_rate: float

    def form(self, kind: Kind) -> Form:
        """Sizes of the network for one kind of series."""
        return Form(context=kind.context, steps=kind.steps, units=self.units, hidden=self.hidden)

    def served_form(self) -> Form:
        """Sizes of the network as it is served."""
        return Form(units=self.units, hidden=self.hidden)

    def share(self, *, seconds: float, updates: int) -> float:
        """Return the share of the run that is done."""
        if self.minutes is not None:
            return seconds / (self.minutes * 60)
        return updates / (self.updates or math.inf)

    def rate(self, *, share: float, updates: int) -> float:
        """Learning rate: warm-up, constant, then down to zero (Zhai et al. 2022)."""
        warm = min(1.0, (updates + 1) / WARM_UP)
        left = min(1.0, max(0.0, 1.0 - share) / DECAY_SHARE)
        return self.learning_rate * warm * max(left, 0.01)
