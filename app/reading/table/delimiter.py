"""Find the delimiter of a table by trying each on a sample."""

import csv
import io
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from app.reading.columns.cell_types import cell_kind
from app.reading.columns.numbers import parse_number
from app.reading.decisions import Candidate, Decision, Setting, settled, weigh

SAMPLE_RECORDS = 200
DELIMITERS = (",", ";", "\t", "|")
# the unit separator, which does not occur in text files: the line is one cell
NO_DELIMITER = "\x1f"

_CONSISTENT = 0.7  # share of lines of the same width from which a table is believed
_PAIR = 2  # cells into which a decimal comma splits one
_LEAD = 0.05  # scores closer than this are equally good
_NAMES = {"\t": "a tab", " ": "blanks", NO_DELIMITER: "none, with a decimal comma"}

Record = list[str]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A sample, split by one delimiter."""

    delimiter: str  # NO_DELIMITER for a single column, " " for runs of blanks
    records: list[Record]  # without blank and comment lines
    places: list[int]  # line in the file of each, from 0
    width: int  # number of cells in most of them
    consistent: float  # share of the records with this width
    clean: float  # share of the cells that are numbers, dates or missing

    @property
    def score(self) -> float:
        """Return how much this looks like a table of numbers, from 0 to 1."""
        return self.consistent * (0.4 + 0.6 * self.clean)

    @property
    def fits_header(self) -> bool:
        """Return whether the first line has as many cells as the others."""
        return len(self.records[0]) == self.width


Choice = tuple[Split, Decision]


def choose_delimiter(sample: str, told: str | None, *, decimal: str | None = None) -> Choice | None:
    """Choose the delimiter of a sample; None if nothing splits it into a table.

    Args:
        sample: the first lines of a file.
        told: the delimiter, if `read` names it.
        decimal: the decimal sign, if `read` names it.
    """
    if told is not None:
        return _choice(split_sample(sample, told), "", told=True)
    return _best_split(sample, decimal)


def records_of(sample: str, delimiter: str) -> list[Record]:
    """Split text into rows of cells, respecting quotes; blank lines become rows without cells."""
    if delimiter == " ":
        return [line.split() for line in islice(io.StringIO(sample), SAMPLE_RECORDS)]
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    records: list[Record] = []
    with suppress(csv.Error):  # a cell over the module's limit; what came before must be enough
        records.extend(islice(reader, SAMPLE_RECORDS))
    return records


def _best_split(sample: str, decimal: str | None) -> Choice | None:
    splits = [split_sample(sample, delimiter) for delimiter in DELIMITERS]
    tables = [split for split in splits if split.width > 1 and split.consistent >= _CONSISTENT]
    # Monat;Umsatz above Mai;1,5: a comma also splits the rows, but not the header.
    tables.sort(key=lambda split: (-split.score, not split.fits_header))
    single = split_sample(sample, NO_DELIMITER)
    if tables:
        return _among(tables, single, decimal)
    if single.clean > 0.5:
        return _choice(single, "each line is one value")
    blanks = split_sample(sample, " ")
    if blanks.width > 1 and blanks.consistent >= _CONSISTENT and blanks.clean > 0.6:
        return _choice(blanks, f"runs of spaces split the lines into {blanks.width} cells")
    return None


def _among(tables: list[Split], single: Split, decimal: str | None) -> Choice:
    """Return the best of several splits, considering that commas may be decimal commas."""
    best = tables[0]
    may_be_one = _may_be_decimals(best)
    if may_be_one and (decimal == "," or (decimal is None and _are_decimals(best))):
        return _choice(single, "each line is one number with a decimal comma")
    rivals = [
        split
        for split in tables[1:]
        if split.width == best.width and split.fits_header >= best.fits_header
    ]
    candidates = [_candidate(split, split.score) for split in [best, *rivals]]
    if may_be_one and decimal is None:
        candidates.append(_candidate(single, best.score))
    chosen, decision = weigh("delimiter", candidates, lead=_LEAD)
    return chosen.value, decision


def _candidate(split: Split, score: float) -> Candidate[Split]:
    name = _NAMES.get(split.delimiter, split.delimiter)
    is_single = split.delimiter == NO_DELIMITER
    reason = (
        "each line may be one number"
        if is_single
        else f"it splits {split.consistent:.0%} of the lines examined into {split.width} cells, "
        f"{split.clean:.0%} of them numbers or dates"
    )
    read: Setting = {"decimal": ","} if is_single else {"delimiter": split.delimiter}
    return Candidate(split, name, read, [(score, reason)])


def _choice(split: Split, reason: str, *, told: bool = False) -> Choice:
    name = "none" if split.delimiter == NO_DELIMITER else split.delimiter
    return split, settled("delimiter", _NAMES.get(name, name), reason, told=told)


def split_sample(sample: str, delimiter: str) -> Split:
    """Split a sample by one delimiter."""
    numbered = [
        (place, record)
        for place, record in enumerate(records_of(sample, delimiter))
        if any(cell.strip() for cell in record) and not _is_comment(record, delimiter)
    ]
    records = [record for _, record in numbered]
    widths = Counter(len(record) for record in records)
    width = max(widths, key=lambda size: (widths[size], size)) if widths else 0
    full = [record for record in records if len(record) == width]
    # A header may be shorter than the rows, because empty last columns are common.
    rest = len(records) - (len(records) > 1 and len(records[0]) < width)
    kinds = Counter(cell_kind(cell) for record in full[1:] for cell in record)
    cells = kinds.total()
    return Split(
        delimiter=delimiter,
        records=records,
        places=[place for place, _ in numbered],
        width=width,
        consistent=len(full) / rest if rest else 0.0,
        clean=1 - kinds["text"] / cells if cells else 0.0,
    )


def _is_comment(record: Record, delimiter: str) -> bool:
    # A cell of its own is the name of a column that counts the rows.
    named = record[0].strip() == "#" and len(record) > 1 and delimiter != " "
    return record[0].startswith("#") and not named


def _may_be_decimals(split: Split) -> bool:
    """Return whether all that a comma splits in two are numbers when joined: 2,5 or 1.200,50 €."""
    if split.delimiter != "," or split.width != _PAIR:
        return False
    header, *rest = split.records
    pairs = [record for record in rest if len(record) == split.width]
    if len(header) == split.width:
        pairs.append(header)
    return all(parse_number(",".join(record), ",") is not None for record in pairs)


def _are_decimals(split: Split) -> bool:
    """Return whether they must be: below a header of one cell, or 0 after the comma."""
    return len(split.records[0]) == 1 or any(
        len(record) == split.width and len(record[1]) > 1 and record[1].startswith("0")
        for record in split.records
    )
