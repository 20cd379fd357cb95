"""Generate small files, one for each peculiarity of real files, with the expected report.

All files of `SAME` hold one table, 30 business days from 3 January 2012, and read the same.
`python -m tests.reading.peculiar_files FOLDER` writes them.
"""

import datetime as dt
import gzip
import io
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

ROWS = 30
GERMAN = ("Mo", "Di", "Mi", "Do", "Fr")
HEADER = "Date,Open,High,Low,Close,Volume"


def business_days() -> list[dt.date]:
    day = dt.date(2012, 1, 3)
    found: list[dt.date] = []
    while len(found) < ROWS:
        if day.weekday() < 5:
            found.append(day)
        day += dt.timedelta(days=1)
    return found


DAYS = business_days()
OPEN = [round(325.25 + i * 1.37 - (i % 7) * 2.11, 2) for i in range(ROWS)]
HIGH = [round(value + 3.5 + (i % 3), 2) for i, value in enumerate(OPEN)]
LOW = [round(value - 2.25 - (i % 4), 2) for i, value in enumerate(OPEN)]
CLOSE = [round((high + low) / 2, 2) for high, low in zip(HIGH, LOW, strict=True)]
VOLUME: list[float] = [7_380_500 + 104_729 * ((i * 7) % 13) for i in range(ROWS)]
TABLE: list[list[float]] = [OPEN, HIGH, LOW, CLOSE, VOLUME]


@dataclass(frozen=True, kw_only=True)
class Same:
    """A file that holds the table."""

    name: str
    data: bytes
    columns: tuple[str, ...] = ("Open", "High", "Low", "Close", "Volume")
    warning: str = ""  # a part of the first warning
    facts: dict[str, object] = field(default_factory=dict)  # fields of the report


def prices(row: int) -> list[str]:
    return [str(column[row]) for column in TABLE]


def iso_row(row: int) -> str:
    return ",".join([DAYS[row].isoformat(), *prices(row)])


def table(
    date: Callable[[int], str] = lambda row: DAYS[row].isoformat(),
    *,
    cells: Callable[[int], list[str]] = prices,
    sep: str = ",",
    header: str | None = HEADER,
    order: list[int] | None = None,
    end: str = "\n",
) -> str:
    lines = [] if header is None else [header.replace(",", sep)]
    lines += [sep.join([date(row), *cells(row)]) for row in order or range(ROWS)]
    return end.join(lines) + end


ISO = table()


def us(row: int) -> str:
    day = DAYS[row]
    return f"{day.month}/{day.day}/{day.year}"


def mangled(row: int) -> str:
    return DAYS[row].strftime("%m-%d-%y") if DAYS[row].day <= 12 else us(row)


def excel_day(row: int) -> int:
    return (DAYS[row] - dt.date(1899, 12, 30)).days


def european(row: int) -> list[str]:
    return [cell.replace(".", ",") for cell in prices(row)[:4]] + [
        f"{VOLUME[row]:,}".replace(",", ".")
    ]


def with_sign(row: int) -> list[str]:
    return [f"${cell}" for cell in prices(row)[:4]] + [f'"{VOLUME[row]:,}"']


def quoted_volume(row: int) -> list[str]:
    return [*prices(row)[:4], f'"{VOLUME[row]:,}"']


def dotted_names(row: int) -> str:
    return f'"{DAYS[row]:%b}. {DAYS[row].day}, {DAYS[row].year}"'


def mixed_with_excel(row: int) -> str:
    return f"{excel_day(row)}.00" if row % 3 else DAYS[row].isoformat()


SHUFFLED = [(row * 7) % ROWS for row in range(ROWS)]


def sheet_cell(place: str, value: object) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    if isinstance(value, dt.datetime):
        days = (value - dt.datetime.combine(dt.date(1899, 12, 30), dt.time())) / dt.timedelta(
            days=1
        )
        return f'<c r="{place}" s="1"><v>{days}</v></c>'
    if isinstance(value, dt.date):
        return f'<c r="{place}" s="1"><v>{(value - dt.date(1899, 12, 30)).days}</v></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def workbook(rows: list[list[object]]) -> bytes:
    """Return a workbook with one sheet and dates as styled numbers."""
    return workbook_of({"Prices": rows})


def workbook_of(sheets: dict[str, list[list[object]]]) -> bytes:
    """Return the smallest .xlsx that spreadsheets accept."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    numbered = list(enumerate(sheets.items(), start=1))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + "".join(
            f'<Relationship Id="r{at}" Type="{office}/worksheet" '
            f'Target="worksheets/sheet{at}.xml"/>'
            for at, _ in numbered
        )
        + f'<Relationship Id="s" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        + "".join(
            f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, (name, _) in numbered
        )
        + "</sheets></workbook>",
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2">'
        '<xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
    }
    for at, (_, rows) in numbered:
        lines = [
            f'<row r="{row}">'
            + "".join(
                sheet_cell(f"{chr(65 + place)}{row}", value) for place, value in enumerate(cells)
            )
            + "</row>"
            for row, cells in enumerate(rows, start=1)
        ]
        parts[f"xl/worksheets/sheet{at}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>' + "".join(lines) + "</sheetData></worksheet>"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    names = HEADER.split(",")
    pq.write_table(pa.table(dict(zip(names, [DAYS, *TABLE], strict=True))), buffer)
    return buffer.getvalue()


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("prices.csv", text)
    return buffer.getvalue()


def same(name: str, text: str | bytes, **more: object) -> Same:
    data = text if isinstance(text, bytes) else text.encode()
    columns = more.pop("columns", ("Open", "High", "Low", "Close", "Volume"))
    warning = more.pop("warning", "")
    assert isinstance(columns, tuple)
    assert isinstance(warning, str)
    return Same(name=name, data=data, columns=columns, warning=warning, facts=more)


NUMBERED = tuple(f"column {place}" for place in range(2, 7))

SAME = [
    same("iso.csv", ISO, encoding="utf-8", delimiter=",", order="oldest first", header_row=1),
    same("as_in_the_chapter.csv", table(us, cells=quoted_volume, header=f"{HEADER[:-6]} Volume")),
    same("us_dates_mangled_by_excel.csv", table(mangled), warning="several formats"),
    same("excel_days.csv", table(lambda row: f"{excel_day(row)}.00")),
    same("excel_days_among_dates.csv", table(mixed_with_excel), warning="several formats"),
    same(
        "semicolons_bom_crlf.csv",
        "\ufeff" + table(sep=";", end="\r\n"),
        delimiter=";",
        encoding="utf-8",
    ),
    same("index_column.csv", table(lambda row: f"{row},{DAYS[row]}", header=f",{HEADER}")),
    same("numbered_rows.csv", table(lambda row: f"{row + 1},{DAYS[row]}", header=f"#,{HEADER}")),
    same("r_row_names.csv", table(lambda row: f'"{row + 1}",{DAYS[row]}')),
    same(
        "five_empty_columns.csv",
        table(cells=lambda row: [*prices(row), ",,,,"], header=f"{HEADER},,,,,"),
    ),
    same("empty_columns_past_the_header.csv", table(cells=lambda row: [*prices(row), ",,,,"])),
    same("a_delimiter_after_each_row.csv", table(cells=lambda row: [*prices(row), ""])),
    same("empty_lines_at_the_end.csv", ISO + "\n\n,,,,,\n\n", rows_left_out=[]),
    same("no_header.csv", table(header=None), columns=NUMBERED, header_row=None),
    same("numbers_as_header.csv", table(header=",0,1,2,3,4"), columns=tuple("01234")),
    same("title_above.csv", f"Prices of one share\n\n{ISO}", header_row=3),
    same("excel_hint.csv", "sep=;\r\n" + table(sep=";", end="\r\n"), delimiter=";"),
    same(
        "several_header_lines.csv",
        f"{HEADER}\nTicker,GOOG,GOOG,GOOG,GOOG,GOOG\n" + table(header="Day,,,,,"),
    ),
    same("tabs.tsv", table(sep="\t"), delimiter="\t"),
    same("bars.txt", table(sep="|"), delimiter="|"),
    same("blanks.txt", table(sep="   "), delimiter=" "),
    same("utf16.csv", ISO.encode("utf-16"), encoding="utf-16"),
    same("utf16_no_mark.csv", ISO.encode("utf-16-be"), encoding="utf-16-be"),
    same(
        "latin1.csv",
        ISO.replace("Open", "Eröffnung").encode("latin-1"),
        columns=("Eröffnung", "High", "Low", "Close", "Volume"),
        encoding="windows-1252",
    ),
    same("old_macintosh.csv", ISO.replace("\n", "\r")),
    same(
        "european.csv",
        table(lambda row: DAYS[row].strftime("%d.%m.%Y"), cells=european, sep=";"),
        decimal=",",
    ),
    same("currency.csv", table(us, cells=with_sign)),
    same(
        "thousands_by_blanks.csv",
        table(cells=lambda row: [*prices(row)[:4], f"{VOLUME[row]:_}".replace("_", "\u202f")]),
    ),
    same("blanks_around.csv", table(sep=" , ")),
    same("two_digit_years_day_first.csv", table(lambda row: DAYS[row].strftime("%d/%m/%y"))),
    same("year_first_two_digits.csv", table(lambda row: DAYS[row].strftime("%y-%m-%d"))),
    same("month_names.csv", table(lambda row: DAYS[row].strftime("%d-%b-%y"))),
    same("month_names_us.csv", table(dotted_names)),
    same("weekdays.csv", table(lambda row: f'"{DAYS[row]:%A, %d %B %Y}"')),
    same("weekdays_before_numbers.csv", table(lambda row: DAYS[row].strftime("%a %m/%d/%Y"))),
    same(
        "german_weekdays.csv",
        table(
            lambda row: f"{GERMAN[DAYS[row].weekday()]}., {DAYS[row]:%d.%m.%Y}",
            cells=european,
            sep=";",
        ),
    ),
    same("compact.csv", table(lambda row: DAYS[row].strftime("%Y%m%d"))),
    same("iso_weeks.csv", table(lambda row: "{}-W{:02d}-{}".format(*DAYS[row].isocalendar()))),
    same(
        "year_month_day.csv",
        table(
            lambda row: DAYS[row].strftime("%Y,%m,%d"),
            header=HEADER.replace("Date", "Year,Month,Day"),
        ),
    ),
    same("newest_first.csv", table(order=list(range(ROWS))[::-1]), order="newest first"),
    same("shuffled.csv", table(order=SHUFFLED), order="shuffled"),
    same("a_row_twice.csv", ISO + iso_row(4) + "\n"),
    same(
        "comments_and_total.csv",
        f"# from somewhere\n{ISO}Total,,,,,{sum(VOLUME)}\n# the end, really\n",
    ),
    same(
        "label_in_every_row.csv",
        table(cells=lambda row: [*prices(row), "GOOG"], header=f"{HEADER},Symbol"),
    ),
    same("packed.csv.gz", gzip.compress(ISO.encode(), mtime=0), compression="gzip"),
    same("packed.zip", zipped(ISO), compression="zip"),
    same(
        "book.xlsx",
        workbook(
            [
                list(HEADER.split(",")),
                *([DAYS[row], *(column[row] for column in TABLE)] for row in range(ROWS)),
            ]
        ),
        file_format="spreadsheet",
        sheet="Prices",
    ),
    same(
        "numbers_as_text.xlsx",
        workbook(
            [
                list(HEADER.split(",")),
                *([DAYS[row], OPEN[row], *european(row)[1:4], VOLUME[row]] for row in range(ROWS)),
            ]
        ),
        decimal=",",
    ),
    same("table.parquet", parquet(), file_format="parquet"),
    same(
        "nastiest.csv.gz",
        gzip.compress(
            (
                "sep=;\r\n# export\r\n"
                + table(
                    lambda row: f"{row};{DAYS[row]:%d.%m.%y}",
                    cells=lambda row: [*european(row), ";;"],
                    sep=";",
                    header=";Datum;Open;High;Low;Close; Volume;;;",
                    order=list(range(ROWS))[::-1],
                    end="\r\n",
                )
                + "Summe;;;;;;1\r\n\r\n"
            ).encode("utf-16"),
            mtime=0,
        ),
        order="newest first",
        decimal=",",
    ),
]


def write_all(folder: Path) -> None:
    """Write each of them into a folder, to be viewed or uploaded."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in SAME:
        (folder / entry.name).write_bytes(entry.data)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
