"""Define the `read` object: how to read a file if the sender knows better than the reader."""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.reading.holidays import canonical_calendar
from app.reading.series.frequency import FREQUENCY_PATTERN

ColumnName = Annotated[str, Field(max_length=200)]
CalendarText = Annotated[str, Field(max_length=20_000), AfterValidator(canonical_calendar)]
ColumnNames = Annotated[list[ColumnName], Field(min_length=1, max_length=10)]


class ReadOptions(BaseModel):
    """Reading options. Those left out are decided from the file; the report says how surely."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    kind: Literal["series", "text"] | None = Field(
        default=None,
        description="Numbers over time, or a text to be read word by word. Left out: a file with "
        "a table of numbers is a series, anything else a text.",
    )
    date: ColumnName | ColumnNames | None = Field(
        default=None,
        description="The column that holds the dates or times, or several that hold their parts, "
        "separated by commas or as a list (Year, Month, Day, Hour); an empty string says that "
        "there is none and that the rows stand in order.",
    )
    date_order: Literal["ymd", "mdy", "dmy"] | None = Field(
        default=None, description="The order of year, month and day in dates such as 01/02/2017."
    )
    years: Literal["ad", "be"] | None = Field(
        default=None,
        description="ad: years as written. be: years of the Buddhist calendar, 543 ahead.",
    )
    hours: Literal["start", "end"] | None = Field(
        default=None,
        description="Whether hours from 1 to 24 name the start of each hour (1 is 00:00) or its "
        "end (1 is 01:00). With end, midnight after 23:00 of its date belongs to the next day.",
    )
    decimal: Literal[".", ","] | None = Field(default=None, description="The decimal sign.")
    delimiter: Literal[",", ";", "\t", "|", " "] | None = Field(
        default=None,
        description="The character between cells; a space stands for any run of spaces.",
    )
    encoding: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")] | None = Field(
        default=None, description="The encoding of the file, such as utf-8, utf-16 or latin-1."
    )
    header: bool | None = Field(
        default=None, description="Whether the first line of the table holds the column names."
    )
    layout: Literal["table", "series_per_column", "series_per_row", "matrix"] | None = Field(
        default=None,
        description="table: a row per time, the columns belong together. series_per_column: each "
        "column is a series of its own. series_per_row: a row per series, the times as header. "
        "matrix: a row per year, month or day, with its months, days or hours as header.",
    )
    series: ColumnName | ColumnNames | None = Field(
        default=None,
        description="The column that names the series, or several, separated by commas or as a "
        "list; an empty string says that all rows are one series.",
    )
    missing: Annotated[str, Field(max_length=200)] | None = Field(
        default=None,
        description="Values or texts that stand for a missing value, separated by commas, as in "
        "-999.9 or -99,n.v.",
    )
    sheet: ColumnName | None = Field(
        default=None, description="The sheet of a spreadsheet; left out: the one with most numbers."
    )
    frequency: Annotated[str, Field(pattern=FREQUENCY_PATTERN)] | None = Field(
        default=None,
        description="The step between rows: ms, s, min, h, D, B (business days), C (the weekdays "
        "of `calendar`), W, SMS, SME (half-months), MS, ME, QS, QE, YS, YE (months, quarters and "
        "years by start or end), with a count if it is not 1.",
    )
    calendar: CalendarText | None = Field(
        default=None,
        description="When there are rows, if not always: weekdays and sessions, as in Mon-Sat "
        "or Mon-Fri 09:30-16:00, without closed dates if there are any, as in Mon-Fri except "
        "2024-12-25, 2025-01-01, except XNYS (a market), except DE (a country) or except none; or "
        "days of the month, as in 1, 16. A name by itself leaves the weekdays as they are found.",
    )
    duplicates: Literal["error", "last", "sum", "mean"] | None = Field(
        default=None,
        description="What to do with rows that have the same time and series. Left out: identical "
        "rows count once, and differing rows are an error.",
    )
    gaps: Literal["error", "leave", "fill", "zero"] | None = Field(
        default=None,
        description="What to do if a regular series lacks times or values: refuse the file, "
        "leave it as it is (the default), repeat the last value, or write 0.",
    )
    text: ColumnName | None = Field(
        default=None, description="The column that holds the text, in a table that is read as text."
    )

    def canonical(self) -> str:
        """Return the options that are set as JSON, equal for equal options.

        The sha256 of a file together with this text identifies a dataset.
        """
        return json.dumps(self.model_dump(exclude_none=True), sort_keys=True, separators=(",", ":"))
