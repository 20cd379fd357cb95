"""Columns of words, such as the weather: read as levels, and encoded as one-hot inputs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.reading.arrays import Floats
from app.reading.content import OTHER, OTHER_LEVEL, Category, SeriesContent

MOST_LEVELS = 100  # of a dataset's column; rarer ones count as one other
MOST_INPUTS = 12  # levels of a version's input; rarer ones count as one other
LEAST_REPEATS = 2  # rows of a level, on average; many levels with fewer are names or remarks


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The one-hot inputs of a category: one for each level but the first, and one for others.

    Without one for others, a word that is no level counts as the first level.
    """

    name: str
    levels: tuple[str, ...]  # the most frequent first
    other: bool

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the inputs."""
        named = [*self.levels[1:], *([OTHER] if self.other else [])]
        return tuple(f"{self.name}={level}" for level in named)

    @cached_property
    def _rows(self) -> dict[str, list[float]]:
        places = range(len(self.columns))
        return {
            level: [float(place == number - 1) for place in places]
            for number, level in enumerate(self.levels)
        }

    def row(self, word: str) -> list[float]:
        """Return the inputs for a word, (columns,)."""
        others = [0.0] * (len(self.columns) - self.other) + [1.0] * self.other
        return self._rows.get(word, others)

    def unknown(self, words: Iterable[str]) -> list[str]:
        """Return the words that are no levels, without repeats."""
        return [word for word in dict.fromkeys(words) if word not in self._rows]

    def encode(self, words: Sequence[str]) -> dict[str, list[float]]:
        """Return the inputs by name for one word after the other."""
        rows = [self.row(word) for word in words]
        return {name: [row[at] for row in rows] for at, name in enumerate(self.columns)}


def read_category(name: str, cells: Sequence[str | None]) -> tuple[Category, Floats] | str:
    """Return a column of words as levels and the place of each row's level, or why it is none.

    Args:
        name: of the column.
        cells: (rows,), as written; None where empty.
    """
    words = [(cell or "").strip() for cell in cells]
    counts = Counter(word for word in words if word)
    if not counts:
        return "it has no value"
    if len(counts) > MOST_INPUTS and counts.total() < LEAST_REPEATS * len(counts):
        return f"its words hardly repeat: {len(counts)} in {counts.total()} rows"
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_LEVELS]
    places = {word: float(place) for place, word in enumerate(frequent)} | {"": np.nan}
    values = np.array([places.get(word, OTHER_LEVEL) for word in words])
    return Category(name=name, levels=tuple(frequent)), values


def encodings_of(content: SeriesContent) -> tuple[Encoding, ...]:
    """Return how the categories of a dataset are encoded for training."""
    found = []
    for category in content.categories:
        places = content.column(category.name)
        is_more = len(category.levels) > MOST_INPUTS or bool((places == OTHER_LEVEL).any())
        levels = category.levels[:MOST_INPUTS]
        found.append(Encoding(name=category.name, levels=levels, other=is_more))
    return tuple(found)


def encoded(content: SeriesContent, encodings: Sequence[Encoding]) -> SeriesContent:
    """Return the content with one-hot columns of numbers in place of its categories.

    Args:
        content: the rows.
        encodings: of categories; those that the content does not have are passed over.
    """
    columns, parts = list(content.columns), [content.values[:, : len(content.columns)]]
    for encoding in encodings:
        if encoding.name not in content.category_names:
            continue
        places = content.column(encoding.name)
        levels = content.levels_of(encoding.name)
        # one row for each level, then one for words that are none, and one for missing words
        table = np.array([encoding.row(level) for level in (*levels, OTHER)], dtype=np.float64)
        table = np.vstack((table, np.full(len(encoding.columns), np.nan)))
        rows = np.where(np.isnan(places), len(levels) + 1, places)
        rows = np.where(rows == OTHER_LEVEL, len(levels), rows).astype(np.int64)
        columns += encoding.columns
        parts.append(table[rows])  # (rows, features)
    values = np.concatenate(parts, axis=1)
    return replace(content, columns=tuple(columns), values=values, categories=())
