"""Keep the state of a run: its fits so far, its time, and the checkpoints to continue from."""

import time
from dataclasses import replace
from typing import Any

from app.jobs.messages import Progress, TrainingRequest
from app.training.checkpoints import Arrays, Saved, read_checkpoint, run_key, write_checkpoint
from app.training.control import Control
from app.training.fit import Position

CHECKPOINT_SECONDS = 8.0  # 10 are allowed, and a compiled call may take 2
# Judging and exporting together, for the remaining time; measured on the chapter's models.
CLOSING_SECONDS = 1.0


class RunState:
    """The state of a run, which a later attempt can continue from.

    Args:
        request: of the training.
        control: receives progress and checkpoints, and may ask the run to stop.
    """

    def __init__(self, request: TrainingRequest, control: Control) -> None:
        self._folder = request.checkpoint_dir
        self._control = control
        self._key = run_key(request)
        self._started = self._last_save = time.monotonic()
        self._positions: dict[str, Position] = {}
        self._saved: Saved | None = None

    @property
    def seconds(self) -> float:
        """The time spent on the run, including earlier attempts."""
        earlier = self._saved.values["seconds"] if self._saved else 0.0
        return float(earlier + time.monotonic() - self._started)

    def resume(self) -> None:
        """Read the newest checkpoint of the run, if there is one."""
        self._saved = read_checkpoint(self._folder, run=self._key)

    def enter(self, stage: str) -> None:
        """Report a new stage.

        Raises:
            StopRequestedError: the run is to end.
        """
        self._control.progress(Progress(stage=stage))
        self.check()

    def check(self) -> None:
        """Return if the run is to continue.

        Raises:
            StopRequestedError: the run is to end.
        """
        self._control.check()

    def begin_fit(self, phase: str, position: Position) -> None:
        """Include a fit in the checkpoints from now on."""
        self._positions[phase] = position

    def report(self, phase: str, progress: Progress) -> None:
        """Report the progress of the fit of a phase, or of one that comes before all phases."""
        eta = progress.eta_seconds
        left = None if eta is None else eta + CLOSING_SECONDS
        self._control.progress(replace(progress, stage=phase, eta_seconds=left))

    def between(self) -> None:
        """Stop if asked to, and save a checkpoint if it is due; called between compiled calls.

        Raises:
            StopRequestedError: the run is to end.
        """
        self.check()
        if time.monotonic() - self._last_save >= CHECKPOINT_SECONDS:
            self.save()

    def saved_fit(self, phase: str) -> tuple[dict[str, Any], Arrays] | None:
        """Return what the checkpoint contains about a phase's fit, or None."""
        if self._saved is None or phase not in self._saved.values["fits"]:
            return None
        prefix = f"{phase}/"
        arrays = {
            name.removeprefix(prefix): array
            for name, array in self._saved.arrays.items()
            if name.startswith(prefix)
        }
        return self._saved.values["fits"][phase], arrays

    def save(self) -> None:
        """Write a checkpoint of all fits and hand it over; do nothing before the first fit."""
        if not self._positions:
            return
        values: dict[str, Any] = {"seconds": self.seconds, "fits": {}}
        arrays: Arrays = {}
        # Fits that an earlier attempt had begun, and this one has not reached yet, are kept.
        earlier = self._saved.values["fits"] if self._saved else ()
        fits = {phase: begun for phase in earlier if (begun := self.saved_fit(phase))}
        fits |= {phase: position.save() for phase, position in self._positions.items()}
        for phase, (values["fits"][phase], own) in fits.items():
            arrays |= {f"{phase}/{name}": array for name, array in own.items()}
        saved = Saved(run=self._key, values=values, arrays=arrays)
        self._control.checkpoint(write_checkpoint(self._folder, saved))
        self._last_save = time.monotonic()
