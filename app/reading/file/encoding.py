"""Find the encoding of a file, and rewrite the file in UTF-8."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.reading.decisions import Decision, settled
from app.reading.file.legacy_encoding import guess_codec
from app.reading.report import FileProblem

CHUNK_BYTES = 1 << 20

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32"),  # before UTF-16, whose mark has the same first bytes
    (codecs.BOM_UTF32_BE, "utf-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16"),
)
# Tab, line ends, form feed and the old end-of-file mark (26) occur in text; others do not.
_CONTROLS = bytes(code for code in range(32) if code not in {9, 10, 11, 12, 13, 26, 27}) + b"\x7f"
# bytes that are control characters in them
_EIGHT_BIT = {"utf-8", "utf-8-sig", "cp1252", "latin-1", "iso8859-1"}
_NO_FILE = {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"}


class UndecodableError(FileProblem):
    """The bytes are not text, or not in the named encoding."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The encoding of a file."""

    codec: str  # its name in Python
    name: str  # its name for people
    decision: Decision
    lone_returns: bool = False  # lines end as on old Macintoshes


def find_encoding(path: Path, told: str | None) -> Encoding:
    """Find the encoding of a file by reading it once.

    Args:
        path: the file.
        told: the encoding that `read` names.

    Raises:
        UndecodableError: the file is binary or not in the named encoding, or that is unknown.
    """
    with path.open("rb") as file:
        head = file.read(CHUNK_BYTES)
    if told is not None:
        encoding = _named(told, head)
    else:
        encoding = (
            _marked(head)
            or _wide(head)
            or _sure("utf-8", "utf-8", "every byte of the file is valid in it")
        )
    failure, lone_returns = _scan(path, encoding.codec)
    if failure is None:
        return replace(encoding, lone_returns=lone_returns)
    if told is not None or encoding.codec != "utf-8":
        field = None if told is None else "read.encoding"
        raise UndecodableError(f"the file is not {encoding.name}: {failure}", field=field)
    guess = guess_codec(head, failure)
    if guess is not None and _scan(path, guess[0])[0] is None:
        return Encoding(codec=guess[0], name=guess[1], decision=guess[2])
    for codec, name in (("cp1252", "windows-1252"), ("latin-1", "latin-1")):
        if _scan(path, codec)[0] is None:
            return _sure(codec, name, f"it is not UTF-8: {failure}")
    raise UndecodableError("the file is not text: it holds control characters")


def decoded(path: Path, codec: str) -> Iterator[str]:
    """Yield the characters of the file, piece by piece.

    Raises:
        UndecodableError: it is not in this encoding, or contains control characters.
    """
    return (data.decode() if text is None else text for data, text in _pieces(path, codec))


def _pieces(path: Path, codec: str) -> Iterator[tuple[bytes, str | None]]:
    """Yield the bytes of the file with their characters; None for ASCII, which is as it is."""
    decoder = codecs.getincrementaldecoder(codec)()
    place, more = 0, True
    with path.open("rb") as file:
        while more:
            data = file.read(CHUNK_BYTES)
            more, waiting = bool(data), len(decoder.getstate()[0])
            is_ascii = codec == "utf-8" and more and not waiting and data.isascii()
            try:
                text = None if is_ascii else decoder.decode(data, final=not more)
            except UnicodeError as error:
                at = place - waiting + getattr(error, "start", 0) + 1
                raise UndecodableError(f"it fails at byte {at}") from error
            eight_bit = text is None or codec in _EIGHT_BIT
            if _has_controls(data if eight_bit else str(text).encode("utf-8", "replace")):
                raise UndecodableError("it holds control characters, as binary files do")
            place += len(data)
            yield data, text


def _scan(path: Path, codec: str) -> tuple[str | None, bool]:
    """Return why the file is not in this encoding, and whether lines end in a return alone."""
    lone_returns, after_return = False, False
    try:
        for data, _ in _pieces(path, codec):
            lone_returns |= after_return and not data.startswith(b"\n")
            after_return = data.endswith(b"\r")
            if b"\r" in data:
                lone_returns |= data.count(b"\r") - after_return != data.count(b"\r\n")
    except UndecodableError as error:
        return str(error), False
    return None, lone_returns


def _has_controls(data: bytes) -> bool:
    codes = np.frombuffer(data, dtype=np.uint8)
    low = int(np.count_nonzero(codes < ord(" ")))
    feeds = int(np.count_nonzero(codes == ord("\n")))  # five times as fast as bytes.count
    returns = data.count(b"\r") if b"\r" in data else 0
    if low == feeds + returns and b"\x7f" not in data:
        return False
    return len(data.translate(None, _CONTROLS)) < len(data)


def transcode(path: Path, encoding: Encoding, target: Path) -> None:
    """Write the file in UTF-8 without a mark, with a line feed after every line.

    Raises:
        UndecodableError: it is not in this encoding.
    """
    with target.open("w", encoding="utf-8", newline="") as file:
        held = ""
        for part in decoded(path, encoding.codec):
            text = held + part
            held = "\r" if text.endswith("\r") else ""  # may be half of a line end
            text = text[: len(text) - len(held)]
            file.write(text.replace("\r\n", "\n").replace("\r", "\n"))
        file.write("\n" if held else "")


def _named(told: str, head: bytes) -> Encoding:
    try:
        codec = codecs.lookup(told)
    except LookupError as error:
        message = f"encoding {told!r} is unknown; utf-8 is the usual one"
        raise UndecodableError(message, field="read.encoding") from error
    if not getattr(codec, "_is_text_encoding", True) or codec.name in _NO_FILE:
        message = f"{told!r} does not encode text; utf-8 is the usual one"
        raise UndecodableError(message, field="read.encoding")
    name = "utf-8-sig" if codec.name == "utf-8" and head.startswith(codecs.BOM_UTF8) else codec.name
    return Encoding(codec=name, name=codec.name, decision=settled("encoding", told, "", told=True))


def _marked(head: bytes) -> Encoding | None:
    for mark, codec, name in _BOMS:
        if head.startswith(mark):
            return _sure(codec, name, "its byte order mark says so")
    return None


def _wide(head: bytes) -> Encoding | None:
    """Detect UTF-16 without a mark: every other byte of Latin text is zero."""
    if b"\0" not in head:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if max(even, odd) < half * 0.7 or min(even, odd) > half * 0.1:
        return None
    codec = "utf-16-le" if odd > even else "utf-16-be"
    return _sure(codec, codec, "every other byte is zero")


def _sure(codec: str, name: str, reason: str) -> Encoding:
    return Encoding(codec=codec, name=name, decision=settled("encoding", name, reason))
