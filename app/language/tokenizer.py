"""Texts to tokens, tokens to ids, and back."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from app.language.scripts import normalise, spaceless_pattern, word_pattern

Unit = Literal["word", "char"]
UNKNOWN = "<unk>"
# The tokens that spell what the vocabulary lacks, as in SentencePiece; a text's own "<0x41>" is six
# characters.
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
MOST_CHARACTERS = 4096  # of a vocabulary that spells; rarer ones are spelled
SOFT_HYPHEN = "\u00ad"
TYPOGRAPHIC_APOSTROPHE = "\u2019"
# A text is tokenized in pieces of about this many characters, so that a large one does not exist
# several times as Python strings.
BLOCK_CHARACTERS = 1 << 20
SPACE = re.compile(r"\s")
# Number of unknown tokens named in a message.
NAMED_TOKENS = 5


@dataclass(frozen=True, kw_only=True)
class UnknownToken:
    """A token that is not in the vocabulary."""

    token: str
    position: int  # index among the tokens of the text


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A text as ids."""

    ids: NDArray[np.int64]  # (tokens,)
    unknown: tuple[UnknownToken, ...]  # those that got the unknown symbol's id


class UnknownTokens(ValueError):
    """A text has tokens that a strict tokenizer does not know.

    Args:
        unknown: all of them, in the order of the text.
    """

    def __init__(self, unknown: tuple[UnknownToken, ...]) -> None:
        distinct = list(dict.fromkeys(entry.token for entry in unknown))
        named = ", ".join(repr(token) for token in distinct[:NAMED_TOKENS])
        more = len(distinct) - NAMED_TOKENS
        super().__init__(f"not in the vocabulary: {named}" + (f" and {more} more" * (more > 0)))
        self.unknown = unknown


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """A vocabulary, and the rule that splits a text into tokens.

    Unit `word`: lower case; a token is
      - a run of letters, digits and combining marks, in which an apostrophe between letters
        ("don't") and a point or comma between digits ("3.14", "1,657,300") belong to the token; a
        typographic apostrophe counts as a plain one;
      - or one letter of a script that is written without spaces (Han, kana, Thai, Lao, Khmer,
        Myanmar), with its marks;
      - or one other sign: punctuation, a currency, an emoji with its modifiers.
    Spaces, line breaks, control and formatting characters separate tokens and are not tokens
    themselves.

    Unit `char`: every Unicode code point is a token; case and line breaks are kept.

    A vocabulary of characters may also spell: it has a token for each byte, and a character without
    a token of its own is the bytes of its UTF-8 form. Then nothing is unknown. Line ends of any
    system are read as line feeds.

    Both read the text in Unicode normal form C, so that "é" is the same however it was typed, and
    both take time linear in the text's length, whatever it contains. If there is an unknown symbol,
    that symbol written in a text ("<unk>", as in prepared corpora) stands for itself.

    Raises:
        ValueError: the vocabulary is empty, has a token twice, or lacks the unknown symbol or a
            byte that it should have.
    """

    unit: Unit
    vocabulary: tuple[str, ...]  # token of each id
    unknown: str | None = None  # for tokens outside the vocabulary; None: they are errors
    spells: bool = False  # whether characters outside the vocabulary are spelled in bytes

    def __post_init__(self) -> None:
        if not self.vocabulary:
            raise ValueError("the vocabulary is empty")
        if len(self.id_of) != len(self.vocabulary):
            twice = next(token for token, n in Counter(self.vocabulary).items() if n > 1)
            raise ValueError(f"the vocabulary has {twice!r} twice")
        if self.unknown is not None and self.unknown not in self.id_of:
            raise ValueError(f"the unknown symbol {self.unknown!r} is not in the vocabulary")
        if self.spells and (self.unit != "char" or not self.id_of.keys() >= set(BYTES)):
            raise ValueError("a vocabulary that spells has characters and a token for each byte")

    @classmethod
    def fit_spelling(cls, text: str, *, min_count: int) -> Self:
        """Build a tokenizer of characters that spells rare ones, and those that it never saw.

        Args:
            text: to be trained on.
            min_count: how often a character must occur to have a token of its own.

        Raises:
            ValueError: the text is empty.
        """
        counts = Counter(_iterate(text, unit="char", unknown=None))
        if not counts:
            raise ValueError("the text has no tokens")
        own = [token for token, n in counts.most_common(MOST_CHARACTERS) if n >= min_count]
        return cls(unit="char", vocabulary=(*own, *BYTES), spells=True)

    @classmethod
    def fit(
        cls, text: str, *, unit: Unit = "word", min_count: int = 1, unknown: bool | None = None
    ) -> Self:
        """Build the tokenizer of a training text.

        Ids follow the frequency, the most frequent token first, ties by first appearance. Tokens
        that occur fewer than `min_count` times are folded into the unknown symbol, which is counted
        like any other; if nothing was folded, it comes last.

        Args:
            text: to be trained on.
            unit: what a token is.
            min_count: how often a token must occur to have its own id.
            unknown: whether there is an unknown symbol; None: if `min_count` is above 1.

        Raises:
            ValueError: the text has no token, none that occurs `min_count` times, or `min_count` is
                above 1 without an unknown symbol.
        """
        symbol = UNKNOWN if (min_count > 1 if unknown is None else unknown) else None
        if min_count > 1 and symbol is None:
            raise ValueError(
                f"min_count {min_count} needs an unknown symbol to fold rare tokens into"
            )
        counts = Counter(_iterate(text, unit=unit, unknown=symbol))
        if not counts:
            raise ValueError("the text has no tokens")
        folded: Counter[str] = Counter()
        for token, count in counts.items():  # in order of first appearance
            folded[token if count >= min_count or symbol is None else symbol] += count
        if folded.keys() == {symbol}:
            raise ValueError(f"no token occurs {min_count} times, so a lower min_count is needed")
        if symbol is not None:
            folded.setdefault(symbol, 0)
        # A stable sort: equal counts stay in order of first appearance.
        vocabulary = tuple(sorted(folded, key=lambda token: -folded[token]))
        return cls(unit=unit, vocabulary=vocabulary, unknown=symbol)

    @cached_property
    def id_of(self) -> Mapping[str, int]:
        """The id of each token of the vocabulary."""
        return {token: number for number, token in enumerate(self.vocabulary)}

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown symbol, if there is one."""
        return None if self.unknown is None else self.id_of[self.unknown]

    def __len__(self) -> int:
        return len(self.vocabulary)

    def tokens(self, text: str) -> list[str]:
        """Return the tokens of a text, whether or not they are in the vocabulary."""
        return list(self._iterate(text))

    def encode(self, text: str) -> Encoded:
        """Return the ids of a text's tokens, (tokens,).

        Raises:
            UnknownTokens: the text has a token outside the vocabulary, and there is no unknown
                symbol.
        """
        id_of, unknown_id = self.id_of, self.unknown_id
        unknown: list[UnknownToken] = []

        def ids() -> Iterator[int]:
            for position, token in enumerate(self._iterate(text)):
                number = id_of.get(token)
                if number is None:
                    unknown.append(UnknownToken(token=token, position=position))
                    number = -1 if unknown_id is None else unknown_id
                yield number

        encoded = np.fromiter(ids(), dtype=np.int64)  # (tokens,)
        if unknown and unknown_id is None:
            raise UnknownTokens(tuple(unknown))
        return Encoded(ids=encoded, unknown=tuple(unknown))

    def decode(self, tokens: Iterable[str]) -> str:
        """Join tokens to a readable text, whose words are tokenized to the same tokens again.

        Words are joined by spaces; letters of scripts without spaces and characters are not. Bytes
        that are no UTF-8 become U+FFFD.
        """
        if self.unit == "char":
            return _unspelled(tokens) if self.spells else "".join(tokens)
        spaceless = spaceless_pattern()
        parts: list[str] = []
        tight = False  # whether the previous token takes no space after it
        for token in tokens:
            starts_tight = spaceless.match(token) is not None
            if parts and not (tight and starts_tight):
                parts.append(" ")
            parts.append(token)
            tight = starts_tight
        return "".join(parts)

    def text(self, ids: Iterable[int]) -> str:
        """Return a readable text for the ids."""
        return self.decode(self.vocabulary[number] for number in ids)

    def _iterate(self, text: str) -> Iterator[str]:
        if not self.spells:
            return _iterate(text, unit=self.unit, unknown=self.unknown)
        lines = text.replace("\r\n", "\n").replace("\r", "\n")
        return _spelled(_iterate(lines, unit="char", unknown=None), self.id_of)


def _spelled(characters: Iterable[str], known: Mapping[str, int]) -> Iterator[str]:
    for character in characters:
        if character in known:
            yield character
        else:  # a lone surrogate has no UTF-8 form
            yield from (BYTES[byte] for byte in character.encode("utf-8", "replace"))


def _unspelled(tokens: Iterable[str]) -> str:
    value = {token: byte for byte, token in enumerate(BYTES)}
    whole = bytearray()
    for token in tokens:
        if token in value:
            whole.append(value[token])
        else:
            whole += token.encode("utf-8", "replace")
    return whole.decode("utf-8", "replace")


def _iterate(text: str, *, unit: Unit, unknown: str | None) -> Iterator[str]:
    """Yield the tokens of a text, one after the other."""
    for block in _blocks(text):
        # Without an unknown symbol, or if the text does not contain it, nothing must be kept whole.
        lowered = block.lower() if unit == "word" else block
        pieces = [lowered] if unknown is None else lowered.split(unknown)
        for number, piece in enumerate(pieces):
            if number and unknown is not None:
                yield unknown
            yield from _words(piece) if unit == "word" else normalise(piece)


def _words(lowered: str) -> Iterator[str]:
    cleaned = normalise(lowered.replace(SOFT_HYPHEN, ""))
    for token in word_pattern().findall(cleaned):
        yield token.replace(TYPOGRAPHIC_APOSTROPHE, "'") if len(token) > 1 else token


def _blocks(text: str) -> Iterator[str]:
    """Yield the text in pieces that end before white space, so none splits a token."""
    start = 0
    while start < len(text):
        space = SPACE.search(text, start + BLOCK_CHARACTERS)
        end = space.start() if space else len(text)
        yield text[start:end]
        start = end
