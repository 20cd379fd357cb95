"""The characters that make up words, in any script: the pattern behind word tokens.

`re` knows letters and digits but not combining marks, so "हिन्दी" would be split at its vowel
signs. The classes here come from the interpreter's Unicode database.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

ZERO_WIDTH_JOINERS = "\u200c\u200d"
SKIN_TONES = range(0x1F3FB, 0x1F400)
# Scripts written without spaces between words, so that each letter is a token: Thai, Lao, Myanmar,
# Khmer, kana, Han.
SPACELESS = (
    (0x0E01, 0x0E4E),
    (0x0E80, 0x0ECE),
    (0x1000, 0x103F),
    (0x1780, 0x17D3),
    (0x3005, 0x3007),
    (0x3041, 0x309F),
    (0x30A1, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFD),
)
# Punctuation of those scripts, written without spaces too.
SPACELESS_PUNCTUATION = ((0x3001, 0x3004), (0x3008, 0x303F), (0xFF01, 0xFF0F), (0xFF1A, 0xFF20))
# Marks are in the first two planes, except for the variation selectors in plane 14.
MARK_PLANES = (range(0x20000), range(0xE0100, 0xE01F0))
# Longest run of combining marks that is kept (Unicode Standard Annex 15, "Stream-Safe Text").
LONGEST_MARK_RUN = 30
COMBINING_GRAPHEME_JOINER = "\u034f"


def _in_class(codes: Iterable[int]) -> str:
    """Return the inside of a character class for these codes."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)


def _marks() -> set[int]:
    return {
        code
        for plane in MARK_PLANES
        for code in plane
        if unicodedata.category(chr(code)).startswith("M")
    }


def _spread(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {code for low, high in ranges for code in range(low, high + 1)}


@lru_cache(maxsize=1)
def word_pattern() -> re.Pattern[str]:
    """Match one word token of a lower-case, NFC-normalised text, in linear time.

    In this order: a letter of a script without spaces; a word (letters, digits, marks; an
    apostrophe between letters, a point or comma between digits); any other single sign that is
    neither space nor control, with its marks and joiners.
    """
    marks = _marks()
    extend = _in_class({*marks, *map(ord, ZERO_WIDTH_JOINERS), *SKIN_TONES})
    spaceless = _in_class(_spread(SPACELESS) - marks)
    hidden = _in_class(
        {code for code in range(0x20000) if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs"}}
        | set(range(0xE0000, 0xE0080))  # tags, invisible
    )
    letter = f"[^\\W_{spaceless}]"
    run = f"{letter}(?:{letter}|[{extend}])*"
    sign = f"[^\\s\\w{hidden}]|_"
    return re.compile(
        f"[{spaceless}][{extend}]*"
        f"|{run}(?:(?:['\u2019]|(?<=\\d)[.,](?=\\d)){run})*"
        f"|(?:{sign})[{extend}]*(?:(?<=\u200d)(?:{sign})[{extend}]*)*"
    )


@lru_cache(maxsize=1)
def spaceless_pattern() -> re.Pattern[str]:
    """Match at the start of a token that is written without a space before or after its kind."""
    inside = _in_class(_spread((*SPACELESS, *SPACELESS_PUNCTUATION)) - _marks())
    return re.compile(f"[{inside}]")


@lru_cache(maxsize=1)
def _long_mark_run() -> re.Pattern[str]:
    marks = _in_class(_marks() - {ord(COMBINING_GRAPHEME_JOINER)})
    return re.compile(f"([{marks}]{{{LONGEST_MARK_RUN}}})(?=[{marks}])")


def normalise(text: str) -> str:
    """Return the text in Unicode normal form C, in linear time.

    `unicodedata.normalize` sorts each run of combining marks by insertion: 40,000 alternating marks
    took 1.3 s, and twice as many four times as long. Runs are therefore cut after 30 marks by a
    combining grapheme joiner, as in Unicode's stream-safe format.
    """
    if text.isascii():
        return text
    safe = _long_mark_run().sub(f"\\1{COMBINING_GRAPHEME_JOINER}", text)
    return unicodedata.normalize("NFC", safe)
