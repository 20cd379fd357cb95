"""Generate packed files: normal ones, and ones that should not exist."""

import gzip
import io
import zipfile
from pathlib import Path
from string import ascii_uppercase

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

CSV = b"Date,Open\n" + b"".join(b"2017-01-%02d,%d.5\n" % (day, day) for day in range(1, 32))
SPREADSHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{SPREADSHEETS}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    "</Relationships>",
}


def spreadsheet(cells: dict[str, str]) -> bytes:
    """Return an .xlsx file of numbers, by place: {"A1": "1.5"}."""
    rows = "".join(
        f'<row r="{place.lstrip(ascii_uppercase)}"><c r="{place}"><v>{value}</v></c></row>'
        for place, value in cells.items()
    )
    sheet = f'<worksheet xmlns="{SPREADSHEETS}"><sheetData>{rows}</sheetData></worksheet>'
    return archive(SHEET_PARTS | {"xl/worksheets/sheet1.xml": sheet})


def archive(members: dict[str, str]) -> bytes:
    """Return a .zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in members.items():
            packed.writestr(name, text)
    return buffer.getvalue()


def zeros(size: int) -> bytes:
    """Return a .gz file with a line of digits that unpacks to this size."""
    return gzip.compress(b"0" * size)


def parquet(rows: int, columns: int) -> bytes:
    """Return a Parquet file that repeats one number: dictionary-coded, a few hundred bytes."""
    table = pa.table({f"c{place}": pa.array(np.full(rows, 1.5)) for place in range(columns)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=max(rows, 1))
    return buffer.getvalue()


def parquet_of_texts(rows: int) -> bytes:
    """Return a Parquet file that repeats one text, which its metadata counts only once."""
    texts = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(rows, np.int32)), pa.array(["a long text " * 100])
    )
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), buffer, compression="zstd", row_group_size=rows)
    return buffer.getvalue()


def damaged(data: bytes) -> bytes:
    """Return the same file with different bytes in the middle."""
    middle = len(data) // 2
    return data[: middle - 20] + b"\xff" * 40 + data[middle + 20 :]


def write(folder: Path, name: str, data: bytes) -> Path:
    """Write the file to a folder."""
    path = folder / name
    path.write_bytes(data)
    return path
