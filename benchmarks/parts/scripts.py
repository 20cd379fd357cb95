"""Texts in several scripts and forms, from the standard library or generated from a seed.

No corpus lies in the repository. A generated text has words with frequencies like Zipf's, each of
which prefers a few others after it, in sentences with the script's punctuation.
"""

import argparse
import ast
import inspect
import typing
from dataclasses import dataclass
from pydoc_data.topics import topics

import numpy as np

CHARACTERS = 100_000
WORDS = 900
FOLLOWERS = 6  # that a word prefers
KEPT = 0.7  # how often it is followed by one of these
SENTENCE = (4, 14)  # words
PARAGRAPH = 0.15  # share of sentences that end one


@dataclass(frozen=True, kw_only=True)
class Script:
    """What the words of a generated text are made of."""

    letters: str
    lengths: tuple[int, int]  # of a word, fewest and most
    space: str
    comma: str
    stop: str


CHINESE = Script(
    letters="".join(map(chr, range(0x4E00, 0x4E00 + 700))),
    lengths=(1, 2),
    space="",
    comma="，",
    stop="。",
)
ARABIC = Script(
    letters="ابتثجحخدذرزسشصضطظعغفقكلمنهوي", lengths=(2, 7), space=" ", comma="،", stop="."
)
HINDI = Script(
    letters="अआइईउएकखगचजटडतदनपबमयरलवसहािीुूेो्ं", lengths=(2, 8), space=" ", comma=",", stop="।"
)


def prose() -> str:
    """Return the prose of Python's own documentation."""
    return "\n\n".join(topics[name] for name in sorted(topics))[:CHARACTERS]


def source() -> str:
    """Return modules of Python's standard library."""
    return "".join(map(inspect.getsource, (ast, argparse, typing)))[:CHARACTERS]


def log() -> str:
    """Return the log of a service that does not exist."""
    rng = np.random.default_rng(1)
    paths = [f"/api/{name}" for name in ("orders", "items", "users", "carts", "health")]
    lines: list[str] = []
    seconds, length = 0, 0
    while length < CHARACTERS:
        seconds += int(rng.geometric(0.3))
        clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        path, level = rng.choice(paths), rng.choice(["INFO", "INFO", "INFO", "WARN", "ERROR"])
        status = {"INFO": 200, "WARN": 404, "ERROR": 503}[level]
        lines.append(
            f"2026-11-30T{clock}Z {level:5} worker-{rng.integers(1, 5)} GET "
            f"{path}/{rng.zipf(1.6) % 10_000} {status} {rng.integers(1, 400)}ms\n"
        )
        length += len(lines[-1])
    return "".join(lines)[:CHARACTERS]


def generated(script: Script, *, seed: int = 0) -> str:
    """Return a text in a script."""
    rng = np.random.default_rng(seed)
    letters = np.array(list(script.letters))
    frequent = 1 / np.arange(1, len(letters) + 1) ** 0.8  # of letters, as of words below
    words = [
        "".join(
            rng.choice(
                letters,
                rng.integers(script.lengths[0], script.lengths[1] + 1),
                p=frequent / frequent.sum(),
            )
        )
        for _ in range(WORDS)
    ]
    share = 1 / np.arange(1, WORDS + 1)
    share /= share.sum()
    followers = rng.choice(WORDS, (WORDS, FOLLOWERS), p=share)
    parts: list[str] = []
    length, word = 0, 0
    while length < CHARACTERS:
        sentence = []
        for _ in range(rng.integers(*SENTENCE)):
            preferred = rng.random() < KEPT
            word = int(rng.choice(followers[word]) if preferred else rng.choice(WORDS, p=share))
            sentence.append(words[word] + script.comma * (rng.random() < 0.1))
        end = "\n" if rng.random() < PARAGRAPH else script.space
        parts.append(script.space.join(sentence) + script.stop + end)
        length += len(parts[-1])
    return "".join(parts)[:CHARACTERS]
