"""Recognise the encoding of text that is not UTF-8 by whether it decodes to real words.

charset-normalizer is asked as well. By itself it takes the few words of a table's header for any of
several scripts, so here it is one witness among others.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import charset_normalizer

from app.reading.decisions import Candidate, Decision, weigh
from app.reading.vocabulary import (
    ENTITY_WORDS,
    MONTH_NUMBERS,
    NOTATIONS,
    PARTS,
    TARGET_WORDS,
    TIME_WORDS,
    USUAL_SIGNS,
    folded,
)

_CODECS: dict[str, tuple[str, str]] = NOTATIONS["encodings"]  # name and language, by codec
_LATIN = {"western", "central", "turkish"}
_LEAD = 0.75  # points
_SAMPLE_BYTES = 1 << 15
_SOURCES: tuple[Iterable[str], ...] = (
    MONTH_NUMBERS,
    PARTS,
    TIME_WORDS,
    ENTITY_WORDS,
    *TARGET_WORDS,
)
_WORDS = {word for source in _SOURCES for word in source if not word.isascii() and len(word) > 1}
_PLAIN_WORDS = {word for source in _SOURCES for word in source if len(word) > 2}
_LETTERS = re.compile(r"[^\W\d_]+")


def guess_codec(data: bytes, reason: str) -> tuple[str, str, Decision] | None:
    """Return codec, name and decision for text that is not UTF-8; None if no encoding fits.

    Args:
        data: the beginning of the file.
        reason: why it is not UTF-8.
    """
    lines = [line for line in data.splitlines(keepends=True) if not line.isascii()]
    sample = b"".join(lines)[:_SAMPLE_BYTES]
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    candidates: list[Candidate[str]] = []
    texts: list[str] = []
    witness = charset_normalizer.from_bytes(sample, cp_isolation=list(_CODECS)).best()
    for codec, (name, language) in _CODECS.items():
        try:
            text = sample.decode(codec)
        except UnicodeDecodeError:
            continue
        if text in texts:
            continue
        texts.append(text)
        rules = list(_signs(text, language))
        if witness is not None and witness.encoding == codec:
            rules.append((0.5, "charset-normalizer says so"))
        if codec == "cp1252":
            rules.append((1.0, f"it is not UTF-8 ({reason}), and most such files are"))
        candidates.append(Candidate(codec, name, {"encoding": codec}, rules))
    if not candidates:
        return None
    best, decision = weigh("encoding", candidates, lead=_LEAD)
    return best.value, best.name, decision


def _signs(text: str, language: str) -> Iterator[tuple[float, str]]:
    """Return what the characters beyond ASCII say about an encoding."""
    signs, usual = [sign for sign in text if not sign.isascii()], USUAL_SIGNS[language]
    if not signs:
        return
    common = sum(sign in usual or sign.lower() in usual for sign in signs) / len(signs)
    yield (2 * common, f"{common:.0%} of the non-ASCII characters are common in it")
    words = sorted(word for word in _WORDS if word in text.lower())
    if language in _LATIN:
        accented = {word for word in _LETTERS.findall(text) if not word.isascii()}
        words = sorted(word for word in accented if folded(word) in _PLAIN_WORDS)
    if words:
        yield (2.5, f"it gives words such as {', '.join(words[:3])}")
    pairs = list(pairwise(text))
    if language in _LATIN:  # accented letters next to each other, unless they are common small ones
        odd = sum(
            not a.isascii() and not b.isascii() and b.isalpha() and not (a in small and b in small)
            for a, b in pairs
            for small in [usual.lower()]
        )
    else:
        odd = sum(a.islower() and b.isupper() for a, b in pairs if not a.isascii())
        odd += sum(
            a.isascii() and a.isalpha() and not b.isascii() and b.isalpha() for a, b in pairs
        )
        odd += sum("\uff61" <= sign <= "\uff9f" or "\ue000" <= sign <= "\uf8ff" for sign in text)
    if odd:
        yield (-3 * odd / len(signs), "it puts characters where they do not belong")
