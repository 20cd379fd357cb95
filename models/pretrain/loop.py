"""Run the pretraining loop: blocks of made-up series, updates, validation, checkpoints."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from app.training.checkpoints import Saved, read_checkpoint, write_checkpoint
from app.training.universal.network import initial_weights, weight_shapes
from models.pretrain.generator import Block, make
from models.pretrain.plan import AVERAGING, BLOCK, KINDS, VALIDATION_SEED, Kind, Plan
from models.pretrain.program import Rates, State, program_of

Tensor = Any  # TensorFlow ships no types
Arrays = dict[str, npt.NDArray[np.float32]]
PARTS = ("weights", "momentum", "velocity", "averaged")
REPORT_SECONDS, SAVE_SECONDS, VALIDATE_SECONDS = 30.0, 240.0, 600.0
KEPT = 3  # checkpoints


@dataclass
class Progress:
    """The progress of a run."""

    updates: int = 0
    seconds: float = 0.0
    losses: dict[str, list[float]] = field(default_factory=dict)


class Loop:
    """A run, continued from its checkpoint if there is one."""

    def __init__(self, plan: Plan, folder: Path, *, say: Callable[[str], None]) -> None:
        self.plan, self.folder, self.say = plan, folder, say
        self.programs = {kind.name: program_of(plan.form(kind), kind.every) for kind in KINDS}
        self.names = tuple(weight_shapes(plan.form(KINDS[0])))
        self.progress = Progress()
        self.stopping = False
        self.state = self._start()

    def _key(self) -> str:
        return f"universal {self.plan.units} {self.plan.hidden} {self.plan.seed}"

    def _start(self) -> State:
        saved = read_checkpoint(self.folder, run=self._key())
        if saved is None:
            first = list(initial_weights(self.plan.form(KINDS[0]), seed=self.plan.seed).values())
            weights = [tf.constant(array) for array in first]
            slots = [[tf.zeros_like(w) for w in weights] for _ in range(2)]
            return State(weights, slots, weights, tf.constant(0.0))
        self.progress = Progress(
            updates=int(saved.values["updates"]), seconds=float(saved.values["seconds"])
        )
        self.say(f"resumed after {self.progress.updates} updates")
        parts = [[tf.constant(saved.arrays[f"{p}.{n}"]) for n in self.names] for p in PARTS]
        step = tf.constant(float(self.progress.updates))
        return State(parts[0], parts[1:3], parts[3], step)

    def save(self) -> Path:
        """Write a checkpoint and drop old ones."""
        state = self.state
        parts = (state.weights, *state.slots, state.averaged)
        arrays = {
            f"{part}.{name}": tensor.numpy()
            for part, tensors in zip(PARTS, parts, strict=True)
            for name, tensor in zip(self.names, tensors, strict=True)
        }
        values = {"updates": self.progress.updates, "seconds": self.progress.seconds}
        path = write_checkpoint(self.folder, Saved(run=self._key(), values=values, arrays=arrays))
        for old in sorted(self.folder.glob("*.safetensors"))[:-KEPT]:
            old.unlink()
        return path

    def stop(self) -> None:
        """End after the current update, with a checkpoint."""
        self.stopping = True

    def averaged(self) -> Arrays:
        """Return the averaged weights by name."""
        return {
            name: tensor.numpy()
            for name, tensor in zip(self.names, self.state.averaged, strict=True)
        }

    def validate(self) -> dict[str, float]:
        """Return the loss of the averaged weights on held-out series, by kind."""
        losses = {}
        for kind in KINDS:
            block = make(seed=VALIDATION_SEED, block=0, count=BLOCK, layout=kind.layout)
            sums = np.zeros(2)
            for values, periods in _batches(block, kind):
                found = self.programs[kind.name].loss(self.state.averaged, values, periods)
                sums += [float(part) for part in found]
            losses[kind.name] = float(sums[0] / sums[1])
        return losses

    def run(self, *, until: float = 1.0) -> None:
        """Train until the plan, or a share of it, is done."""
        last = dict.fromkeys(("report", "save", "validate"), time.monotonic())
        started, before = time.monotonic(), self.progress.seconds
        for kind, values, periods in self._series():
            share = self.plan.share(seconds=self.progress.seconds, updates=self.progress.updates)
            if share >= until or self.stopping:
                break
            self._update(kind, values, periods, share)
            now = time.monotonic()
            self.progress.seconds = before + now - started
            if now - last["report"] > REPORT_SECONDS:
                last["report"] = now
                self._report(share)
            if now - last["validate"] > VALIDATE_SECONDS:
                last["validate"] = now
                self._report_validation()
            if now - last["save"] > SAVE_SECONDS:
                last["save"] = now
                self.save()
        self.save()

    def _update(self, kind: Kind, values: Tensor, periods: Tensor, share: float) -> None:
        updates = self.progress.updates
        rates = Rates(
            tf.constant(self.plan.rate(share=share, updates=updates)),
            tf.constant(min(AVERAGING, (updates + 1) / (updates + 10))),
        )
        state, figures = self.programs[kind.name].train(self.state, values, periods, rates)
        loss, norm = (float(x) for x in figures)
        if not np.isfinite(loss) or not np.isfinite(norm):
            self.say(f"update {updates} left out: loss {loss}, gradient {norm}")
        else:
            self.state = state
            self.progress.losses.setdefault(kind.name, []).append(loss)
        self.progress.updates += 1

    def _report(self, share: float) -> None:
        losses = self.progress.losses
        parts = [f"{name} {np.mean(values):.4f}" for name, values in losses.items()]
        losses.clear()
        self.say(
            f"{self.progress.seconds / 60:6.1f} min, {share:4.0%}, "
            f"{self.progress.updates} updates, loss: {', '.join(parts)}"
        )

    def _report_validation(self) -> None:
        parts = [f"{name} {loss:.4f}" for name, loss in self.validate().items()]
        self.say(f"validation: {', '.join(parts)}")

    def _series(self) -> Iterator[tuple[Kind, Tensor, Tensor]]:
        """Yield batches of both kinds in turn, from the current position of the run."""
        updates = self.progress.updates
        with ThreadPoolExecutor(1) as maker:
            sources = [
                self._blocks(kind, maker, updates, place) for place, kind in enumerate(KINDS)
            ]
            while True:
                place = updates % len(KINDS)
                yield KINDS[place], *next(sources[place])
                updates += 1

    def _blocks(
        self, kind: Kind, maker: ThreadPoolExecutor, updates: int, place: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of one kind; generate the next block while the current one is used."""
        done = (updates - place + len(KINDS) - 1) // len(KINDS)
        number, skipped = divmod(done, BLOCK // kind.batch)

        def order(block: int) -> Future[Block]:
            return maker.submit(
                make, seed=self.plan.seed, block=block, count=BLOCK, layout=kind.layout
            )

        waiting = order(number)
        while True:
            block = waiting.result()
            number += 1
            waiting = order(number)
            for index, batch in enumerate(_batches(block, kind)):
                if index >= skipped:
                    yield batch
            skipped = 0


def _batches(block: Block, kind: Kind) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(block.values), kind.batch):
        rows = slice(start, start + kind.batch)
        yield tf.constant(block.values[rows]), tf.constant(block.periods[rows])
