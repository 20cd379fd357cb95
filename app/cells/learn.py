"""Train a network with nothing but the parts of this package.

    python -m app.cells.learn [TEXT.txt]

trains the chapter's two examples: the letters of "hello", each from those before it, and the words
of a text, each from the three before it. Without a file, the text is made up.
"""

import sys
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cells.cell import CellName
from app.cells.losses import cross_entropy, softmax
from app.cells.network import Network
from app.cells.optimizers import Adagrad, Adam, Optimizer, clip_norm
from app.language.sampling import choose
from app.language.tokenizer import Tokenizer, Unit

Ids = NDArray[np.int64]

WORD = "hello"
CONTEXT = 3  # words in, one out
LARGEST_NORM = 5.0
CONTINUED_WORDS = 12


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The result of training."""

    network: Network
    tokenizer: Tokenizer
    context: int  # tokens that it sees at once
    losses: tuple[float, ...]  # cross-entropy of each epoch, summed over the steps, in nats
    right: int  # targets that are the network's most probable token
    targets: int


def learn_word(word: str, *, cell: CellName = "rnn", units: int = 8, seed: int = 0) -> Learned:
    """Learn each letter of a word from all letters before it, with outputs at every step.

    Args:
        word: the training text, such as "hello".
        cell: of the only layer.
        units: of the layer.
        seed: of the initial weights.

    Raises:
        ValueError: the word has fewer than two letters.
    """
    tokenizer, ids = _read(word, unit="char", at_least=2)
    inputs, targets = ids[None, :-1], ids[None, 1:]  # (1, letters - 1) each
    network = _network(tokenizer, cell=cell, units=units, seed=seed)
    return _train(
        network, tokenizer, inputs, targets, optimizer=Adagrad(learning_rate=0.1), epochs=60
    )


def learn_text(text: str, *, cell: CellName = "rnn", units: int = 64, seed: int = 0) -> Learned:
    """Learn each word of a text from the three before it, with the output of the last step only.

    Args:
        text: the training text.
        cell: of the only layer.
        units: of the layer.
        seed: of the initial weights.

    Raises:
        ValueError: the text has fewer than four words.
    """
    tokenizer, ids = _read(text, unit="word", at_least=CONTEXT + 1)
    examples = np.lib.stride_tricks.sliding_window_view(ids, CONTEXT + 1)  # (n, context + 1)
    inputs, targets = examples[:, :-1], examples[:, -1]  # (n, context), (n,)
    network = _network(tokenizer, cell=cell, units=units, seed=seed)
    return _train(
        network, tokenizer, inputs, targets, optimizer=Adam(learning_rate=0.01), epochs=100
    )


def made_up_text(words: int = 200, *, seed: int = 0) -> str:
    """Return a text of made-up words, where almost no three words occur twice."""
    syllables = [first + second for first, second in product("bdfgklmnprst", "aeiou")]
    generator = np.random.default_rng(seed)
    return " ".join(generator.choice(syllables, words))


def continued(learned: Learned, text: str, *, tokens: int) -> str:
    """Return a text with the network's continuation.

    Args:
        learned: the network and its tokenizer.
        text: to be continued.
        tokens: number of tokens to add, each the most probable one.
    """
    ids = list(learned.tokenizer.encode(text).ids)
    for _ in range(tokens):
        seen = np.array([ids[-learned.context :]])  # (1, context)
        ids.append(choose(softmax(learned.network.forward(seen, every_step=False).outputs[0])))
    return learned.tokenizer.text(ids)


def _read(text: str, *, unit: Unit, at_least: int) -> tuple[Tokenizer, Ids]:
    tokenizer = Tokenizer.fit(text, unit=unit)
    ids = tokenizer.encode(text).ids
    if len(ids) < at_least:
        raise ValueError(
            f"the text has {len(ids)} tokens, but at least {at_least} are needed to learn from"
        )
    return tokenizer, ids


def _network(tokenizer: Tokenizer, *, cell: CellName, units: int, seed: int) -> Network:
    size = len(tokenizer)
    generator = np.random.default_rng(seed)
    return Network.random(generator, cell=cell, inputs=size, layers=(units,), outputs=size)


def _train(
    network: Network,
    tokenizer: Tokenizer,
    inputs: Ids,
    targets: Ids,
    *,
    optimizer: Optimizer,
    epochs: int,
) -> Learned:
    """Train for some epochs, with one step over the whole batch in each."""
    every_step = targets.ndim > 1
    losses: list[float] = []
    for _ in range(epochs):
        trace = network.forward(inputs, every_step=every_step)
        # Outputs are (batch, steps, vocabulary), or (batch, vocabulary) of the last step only.
        loss, d_outputs = cross_entropy(trace.outputs, targets)
        gradients = network.backward(trace, d_outputs).weights
        clip_norm(gradients, LARGEST_NORM)
        optimizer.update(network.weights(), gradients)
        losses.append(loss)
    said = network.forward(inputs, every_step=every_step).outputs.argmax(axis=-1)
    return Learned(
        network=network,
        tokenizer=tokenizer,
        context=inputs.shape[1],
        losses=tuple(losses),
        right=int((said == targets).sum()),
        targets=targets.size,
    )


def main(arguments: list[str]) -> None:
    """Train both examples and print the results."""
    text = Path(arguments[0]).read_text(encoding="utf-8") if arguments else made_up_text()
    started = time.perf_counter()
    word = learn_word(WORD)
    _report(f'letters of "{WORD}"', word, seconds=time.perf_counter() - started)
    sys.stdout.write(f"  {WORD[0]} → {continued(word, WORD[0], tokens=len(WORD) - 1)}\n")
    started = time.perf_counter()
    learned = learn_text(text)
    _report("words of the text", learned, seconds=time.perf_counter() - started)
    first = learned.tokenizer.decode(learned.tokenizer.tokens(text)[:CONTEXT])
    sys.stdout.write(f"  {first} → {continued(learned, first, tokens=CONTINUED_WORDS)}\n")


def _report(name: str, learned: Learned, *, seconds: float) -> None:
    sys.stdout.write(
        f"{name}: {learned.right} of {learned.targets} right after {len(learned.losses)} epochs, "
        f"{seconds:.1f} s; loss {learned.losses[0]:.2f}, at the end {learned.losses[-1]:.2f}\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
