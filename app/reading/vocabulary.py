"""Provide the words of headers and cells, from `words.toml`, and the words of a column's name.

`NOTATIONS` are the tables of `notations.toml`: how numbers, dates and files are written.
"""

import re
import tomllib
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

_ASIA = "\u0530"  # scripts from here on have no accents to remove
# Letters that Unicode does not decompose into a letter and an accent.
_PLAIN_LETTERS = str.maketrans("łŁøØđĐıßæœ’", "lLoOdDisao'")


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Return the text in lower case, with plain letters and without European accents."""
    plain = unicodedata.normalize("NFKC", text.translate(_PLAIN_LETTERS))
    parts = (unicodedata.normalize("NFD", sign) if sign < _ASIA else sign for sign in plain)
    return "".join(sign for sign in "".join(parts) if not "\u0300" <= sign <= "\u036f").lower()


def _by_word(table: dict[str, str]) -> dict[str, str]:
    return {word: key for key, words in table.items() for word in folded(words).split()}


def _tables(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


NOTATIONS = _tables("notations.toml")
_WORDS = _tables("words.toml")
_COLUMNS: dict[str, list[str]] = {
    key: folded(words).split() for key, words in _WORDS["columns"].items()
}
MONTH_NUMBERS = {word: int(month) for word, month in _by_word(_WORDS["months"]).items()}
PERIODS, PARTS = _by_word(_WORDS["periods"]), _by_word(_WORDS["parts"])
ZONE_MINUTES = {word: int(minutes) for word, minutes in _by_word(_WORDS["zones"]).items()}
AMBIGUOUS_ZONES = {"bst", "ist", "cst", "ast"}
WEEKDAYS = {"thurs"} | {
    name for full in _COLUMNS["weekdays"] for name in (full, full[:3], full[:2], full[:4])
}
CLOCK_WORDS = {"uhr", "h", "hrs", "hours", "std"}  # after a time of day
ORDINALS = {"st", "nd", "rd", "th"}
TIME_WORDS, WEAK_WORDS = set(_COLUMNS["time"]), set(_COLUMNS["weak"])
TOTAL_WORDS, ENTITY_WORDS = set(_COLUMNS["total"]), _COLUMNS["entity"]  # the best first
START_WORDS, END_WORDS = set(_COLUMNS["start"]), set(_COLUMNS["end"])  # of an interval
STEP_WORDS, STEP_TEXTS = set(_COLUMNS["step"]), set(_COLUMNS["step_texts"])
USUAL_SIGNS: dict[str, str] = _WORDS["signs"]  # beyond ASCII, by language
TARGET_WORDS = [set(_COLUMNS[f"target{rank}"]) for rank in (1, 2, 3, 4)]  # the likeliest first


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Split a column's name into words: DayOfWeek and day_of_week are day, of, week."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(re.findall(r"[^\W\d_]+", folded(parted)))


def words_in(name: str, vocabulary: Collection[str]) -> list[str]:
    """Return the words of a vocabulary in a name; in scripts without blanks, anywhere in it."""
    found = [word for word in words_of(name) if word in vocabulary]
    if not found and not name.isascii():
        text = folded(name)
        found = [word for word in vocabulary if not word.isascii() and word in text]
    return found


def sounds_like_time(name: str) -> bool:
    """Return whether a column's name contains a word for a time."""
    return bool(words_in(name, TIME_WORDS)) or words_of(name)[1:][-1:] == ("at",)  # created_at
