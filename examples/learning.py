"""Learn a made-up task with nothing but the parts of `app.cells`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.cells.cell import CellName
from app.cells.losses import cross_entropy
from app.cells.memory import Reach, reach
from app.cells.network import Network
from app.cells.optimizers import Adam, clip_norm
from examples.sequences import NOT_ASKED, Examples, Task

Floats = NDArray[np.float64]

BATCH = 32
LARGEST_NORM = 1.0
# σ(4) = 0.98 of the state is kept per step. With Keras' bias of 1 it is 0.73, which leaves nothing
# after 50 steps (Gers et al. 2000). Tallec & Ollivier 2018 derive the logarithm of the time span.
FORGET_BIAS = 4.0
JUDGED = 400
LEARNED = 0.02  # loss per answer, in nats, at which training stops


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A trained network and how well it does."""

    cell: CellName
    network: Network
    losses: tuple[float, ...]  # per answer, of each batch, in nats
    right: float  # share of right answers on sequences not trained on
    guessing: float  # the same share if the commonest answer is always given
    before: Reach  # how far back the gradient reaches before training
    after: Reach


def learn(
    task: Task,
    cell: CellName,
    *,
    units: int = 16,
    batches: int = 400,
    learning_rate: float = 0.003,
    seed: int = 0,
) -> Learned:
    """Train a network of one layer on new sequences until its loss is small or the batches end."""
    generator = np.random.default_rng(seed)
    size = len(task.vocabulary)
    network = Network.random(generator, cell=cell, inputs=size, layers=(units,), outputs=size)
    if cell == "lstm":
        network.layers[0].bias[units : 2 * units] = FORGET_BIAS
    judged = task.draw(np.random.default_rng(seed + 1), JUDGED)
    before = gradient_reach(network, judged)
    optimizer, losses = Adam(learning_rate=learning_rate), []
    for _ in range(batches):
        losses.append(_update(network, task.draw(generator, BATCH), optimizer))
        if max(losses[-10:]) < LEARNED:
            break
    return Learned(
        cell=cell,
        network=network,
        losses=tuple(losses),
        right=_right(network, judged),
        guessing=_guessing(judged),
        before=before,
        after=gradient_reach(network, judged),
    )


def gradient_reach(network: Network, examples: Examples) -> Reach:
    """Measure how far back the gradient of the last answer reaches."""
    ids, targets = examples.ids[:BATCH], examples.targets[:BATCH, -1]
    asked = targets != NOT_ASKED
    logits = network.forward(ids[asked], every_step=False).outputs  # (asked, vocabulary)
    (layer,) = reach(network, ids[asked], cross_entropy(logits, targets[asked])[1])
    return layer


def _update(network: Network, examples: Examples, optimizer: Adam) -> float:
    trace = network.forward(examples.ids)
    asked = examples.targets != NOT_ASKED  # (batch, steps)
    count = max(1, int(asked.sum()))
    d_outputs = np.zeros_like(trace.outputs)  # (batch, steps, vocabulary)
    loss, d_outputs[asked] = cross_entropy(trace.outputs[asked], examples.targets[asked])
    gradients = network.backward(trace, d_outputs / count).weights
    clip_norm(gradients, LARGEST_NORM)
    optimizer.update(network.weights(), gradients)
    return loss / count


def _right(network: Network, examples: Examples) -> float:
    asked = examples.targets != NOT_ASKED
    said = network.forward(examples.ids).outputs.argmax(axis=-1)  # (n, steps)
    return float((said == examples.targets)[asked].mean())


def _guessing(examples: Examples) -> float:
    answers = examples.targets[examples.targets != NOT_ASKED]
    return float(np.bincount(answers).max() / len(answers))
