"""Lay an n-gram model out as flat arrays, in which a graph finds the grams of a context.

A context of n tokens has the key sum of (id + 1) * base ** i, where i counts from its newest token,
and base is the vocabulary's size + 2. So contexts of different lengths have different keys, and the
keys of all suffixes of a text's end are one cumulative sum. Rows are hashed into buckets by the
remainder of their keys; `width` is the fullest bucket's number of rows.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from app.language.ngram import Floats, Grams, Ids, NgramModel

KEY_BITS = 62  # of an int64, without its sign
BUCKETS_TRIED = 20
# How often a context must have been seen for the higher of two confidences; see `classes`.
SEEN_OFTEN = (2, 4, 12)
CONFIDENCES = len(SEEN_OFTEN) + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class NgramTable:
    """The grams of an n-gram model; row 0 stands for any context that was never seen."""

    order: int
    vocabulary_size: int
    unigram: Floats  # (vocabulary,)
    bucket_starts: Ids  # (buckets,), first row of each bucket
    width: int  # rows in the fullest bucket
    keys: Ids  # (1 + rows + width,), -1 for row 0 and after the last
    left: Floats  # (1 + rows,), what a context leaves to the shorter one; 1 for row 0
    classes: Ids  # (1 + rows,), by length and confidence, 0 for row 0
    first_child: Ids  # (1 + rows,), its first gram
    children: Ids  # (1 + rows,), its number of grams
    tokens: Ids  # (grams,), last token of each gram
    shares: Floats  # (grams,), its own part of the probability

    @classmethod
    def of(cls, model: NgramModel) -> Self:
        """Lay out a model.

        Raises:
            ValueError: it has no contexts, or their keys do not fit into 62 bits.
        """
        if model.order < 2:
            raise ValueError("a unigram has no contexts")
        if model.order > longest_order(model.vocabulary_size):
            raise ValueError(f"contexts of {model.order - 1} tokens have no key of {KEY_BITS} bits")
        unigram, first_keys = _unigram(model)
        parts, keys, rows = [], first_keys, 0
        for length, level in enumerate(model.levels[1:], start=1):
            part, keys = _rows_of(level, keys, model.vocabulary_size, length=length, before=rows)
            parts.append(part)
            rows += len(part.keys)
        return cls._hashed(
            model, unigram, _Rows(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        )

    @classmethod
    def _hashed(
        cls,
        model: NgramModel,
        unigram: Floats,
        found: "_Rows",
    ) -> Self:
        """Order the rows by bucket, and the grams by row."""
        buckets, width = _best_buckets(found.keys)
        bucket = found.keys % buckets
        order = np.argsort(bucket, kind="stable")
        starts = np.searchsorted(bucket[order], np.arange(buckets))
        place = np.empty(len(found.keys), np.int64)
        place[order] = np.arange(len(found.keys))
        by_row = np.argsort(place[found.parents], kind="stable")
        children = np.bincount(place[found.parents], minlength=len(found.keys))
        first_child = np.cumsum(children) - children
        return cls(
            order=model.order,
            vocabulary_size=model.vocabulary_size,
            unigram=unigram,
            bucket_starts=1 + starts,
            width=width,
            keys=np.concatenate(([-1], found.keys[order], np.full(width, -1))),
            left=np.concatenate(([1.0], found.left[order])),
            classes=np.concatenate(([0], found.classes[order])),
            first_child=np.concatenate(([0], first_child)),
            children=np.concatenate(([0], children)),
            tokens=found.tokens[by_row],
            shares=found.shares[by_row],
        )

    @property
    def base(self) -> int:
        """What the digits of a context's key are multiplied with."""
        return self.vocabulary_size + 2

    @property
    def class_count(self) -> int:
        """The number of different classes."""
        return 1 + CONFIDENCES * (self.order - 1)

    def classes_of(self, ids: Ids, *, start: int) -> Ids:
        """Return the class of the longest seen context before each token from `start` on.

        Args:
            ids: (tokens,)
            start: tokens that are only read.

        Returns:
            (tokens - start,)
        """
        width = self.order - 1
        padded = np.concatenate((np.full(width, self.vocabulary_size), ids)) + 1
        result = np.zeros(len(ids) - start, np.int64)
        key = np.zeros(len(result), np.int64)
        ordered = np.argsort(self.keys, kind="stable")
        for length in range(1, self.order):
            newest = padded[start + width - length : len(padded) - length]  # (tokens - start,)
            key = key + newest * self.base ** (length - 1)
            found = np.searchsorted(self.keys, key, sorter=ordered).clip(max=len(ordered) - 1)
            row = ordered[found]
            row = np.where((self.keys[row] == key) & (row < len(self.classes)), row, 0)
            result = np.maximum(result, self.classes[row])
        return result

    def after(self, recent: Ids) -> tuple[int, Floats]:
        """Return the class of a context, and the probabilities (vocabulary,) after it.

        Args:
            recent: (order - 1,), the last ids, the start symbol (vocabulary size) before a text.
        """
        row_of = {key: row for row, key in enumerate(self.keys.tolist()) if key > 0}
        kind, key, result = 0, 0, self.unigram
        for length, token in enumerate(recent[::-1].tolist()):
            key += (token + 1) * self.base**length
            row = row_of.get(key, 0)
            first = self.first_child[row]
            grams = slice(first, first + self.children[row])
            own = np.zeros(self.vocabulary_size)
            own[self.tokens[grams]] = self.shares[grams]
            result = own + self.left[row] * result
            kind = max(kind, int(self.classes[row]))
        return kind, result


class _Rows(NamedTuple):
    """Contexts of some lengths, and their grams."""

    keys: Ids  # (rows,)
    left: Floats  # (rows,)
    classes: Ids  # (rows,)
    parents: Ids  # (grams,), number of the context
    tokens: Ids  # (grams,)
    shares: Floats  # (grams,)


def _own_shares(level: Grams, *, base: int) -> Floats:
    """Return what each gram has of its context's probability beside what that leaves, (grams,)."""
    context = level.keys // base
    total = np.maximum(level.context_totals[context], 1)
    shares: Floats = np.maximum(level.counts - level.discount, 0) / total
    return shares


def _unigram(model: NgramModel) -> tuple[Floats, Ids]:
    """Return the probabilities of the unigram (vocabulary,), and the keys of its grams."""
    level, size = model.levels[0], model.vocabulary_size
    unigram = np.full(
        size, level.discount * level.context_types[0] / level.context_totals[0] / size
    )
    real = level.keys < size  # without the start symbol
    unigram[level.keys[real]] += _own_shares(level, base=size + 1)[real]
    return unigram, level.keys + 1


def _rows_of(level: Grams, keys: Ids, size: int, *, length: int, before: int) -> tuple[_Rows, Ids]:
    """Return the contexts of a length, and the keys of their grams as contexts.

    Args:
        level: the grams one token longer.
        keys: of the contexts, by their position in the level below.
        size: of the vocabulary.
        length: tokens in a context.
        before: number of rows of shorter contexts.
    """
    context, token = np.divmod(level.keys, size + 1)  # (grams,)
    seen = np.flatnonzero(level.context_totals > 0)  # (rows,)
    number = np.full(len(level.context_totals), -1)
    number[seen] = before + np.arange(len(seen))
    total = level.context_totals[seen]
    shares = _own_shares(level, base=size + 1)
    real = (shares > 0) & (token < size)
    rows = _Rows(
        keys=keys[seen],
        left=level.discount * level.context_types[seen] / total,
        classes=1 + CONFIDENCES * (length - 1) + np.searchsorted(SEEN_OFTEN, total, "right"),
        parents=number[context[real]],
        tokens=token[real],
        shares=shares[real],
    )
    # Before the first start symbol is no context at all, which nothing real follows. The last token
    # of a gram is the newest of the context that it is.
    return rows, np.append(keys, 0)[context] * (size + 2) + token + 1


def longest_order(vocabulary_size: int) -> int:
    """Return the highest order whose contexts have a key."""
    return 1 + int(KEY_BITS / math.log2(vocabulary_size + 2))


def _best_buckets(keys: Ids) -> tuple[int, int]:
    """Return the number of buckets whose fullest one has the fewest rows, and that many rows."""
    tried = [2 * len(keys) + 1 + 2 * extra for extra in range(BUCKETS_TRIED)]
    widths = [int(np.bincount(keys % count, minlength=1).max(initial=1)) for count in tried]
    best = int(np.argmin(widths))
    return tried[best], widths[best]
