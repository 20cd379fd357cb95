"""Sums over texts that followed prompts, and the figures computed from them. No database."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

NONE_YET = "no text that followed these days' prompts is known yet"
NO_NGRAM = "the version's graph has no n-gram to compare with"


@dataclass(frozen=True, kw_only=True)
class TextSums:
    """Sums over texts; a version's graph has an n-gram for all of them or for none."""

    texts: int = 0
    characters: int = 0
    tokens: int = 0
    correct: int = 0  # tokens that were the most probable one
    nats: float = 0.0
    ngram_nats: float | None = 0.0  # None: a version without an n-gram

    def __add__(self, other: Self) -> Self:
        return self._combined(other, 1)

    def __sub__(self, other: Self) -> Self:
        return self._combined(other, -1)

    def _combined(self, other: Self, sign: int) -> Self:
        missing = self.ngram_nats is None or other.ngram_nats is None
        return type(self)(
            texts=self.texts + sign * other.texts,
            characters=self.characters + sign * other.characters,
            tokens=self.tokens + sign * other.tokens,
            correct=self.correct + sign * other.correct,
            nats=self.nats + sign * other.nats,
            ngram_nats=None if missing else (self.ngram_nats or 0) + sign * (other.ngram_nats or 0),
        )


@dataclass(frozen=True, kw_only=True)
class TextFigures:
    """Figures of texts; None where nothing was measured."""

    texts: int
    bits_per_character: float | None
    ngram_bits_per_character: float | None
    accuracy: float | None  # share of the tokens that were the most probable one
    skill: float | None  # 1 - bits / bits of the n-gram, over the same texts
    skill_missing: str | None


def text_figures(sums: TextSums) -> TextFigures:
    """Compute bits per character and the other figures; unmeasured ones are None, never 0."""
    if not sums.texts or not sums.characters:
        return TextFigures(
            texts=0,
            bits_per_character=None,
            ngram_bits_per_character=None,
            accuracy=None,
            skill=None,
            skill_missing=NONE_YET,
        )
    ngram = None if sums.ngram_nats is None else bits_per_character(sums.ngram_nats, sums)
    bits = bits_per_character(sums.nats, sums)
    skill, missing = (1 - bits / ngram, None) if ngram else (None, NO_NGRAM)
    if ngram == 0:
        missing = "the n-gram was certain of every token"
    return TextFigures(
        texts=sums.texts,
        bits_per_character=bits,
        ngram_bits_per_character=ngram,
        accuracy=sums.correct / sums.tokens,
        skill=skill,
        skill_missing=missing,
    )


def bits_per_character(nats: float, sums: TextSums) -> float:
    """Return a sum of nats as bits per character of the texts.

    Corrected texts are subtracted, and rounding may leave a sum slightly below 0.
    """
    return max(nats, 0.0) / math.log(2) / sums.characters


def total_of_texts(sums: Iterable[TextSums]) -> TextSums:
    """Return the sum of all."""
    return sum(sums, start=TextSums())
