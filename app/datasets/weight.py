"""Determine how many bytes a packed file unpacks to, according to its headers.

Reading the headers takes milliseconds. So a reader can tell a large file from a small one, and
refuse a huge one, before unpacking anything. Headers may lie: a file that unpacks to more than it
declares meets the reader's limits on memory, processor time and disk.
"""

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"
GZIP_LENGTH = struct.Struct("<I")  # the last field of a gzip file: length modulo 2^32
GZIP_LEAST_BYTES = 18
CELL_BYTES = 8  # minimum memory of a cell, however well a Parquet file packs it


def unpacked_bytes(path: Path) -> int:
    """Return the size that a file declares to unpack to, or its own size if it is not packed.

    A file with invalid headers counts with its own size, because reading it shows what is wrong.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(ZIP))
        if start.startswith(GZIP):
            return max(size, _gzip_bytes(file, size))
        if start == ZIP:
            return max(size, _zip_bytes(file))
        if start == PARQUET:
            return max(size, _parquet_bytes(file))
    return size


def _gzip_bytes(file: BinaryIO, size: int) -> int:
    if size < GZIP_LEAST_BYTES:
        return 0
    file.seek(size - GZIP_LENGTH.size)
    declared: int = GZIP_LENGTH.unpack(file.read(GZIP_LENGTH.size))[0]
    return declared


def _zip_bytes(file: BinaryIO) -> int:
    """Return the sum of all members, because a spreadsheet is read completely."""
    try:
        with zipfile.ZipFile(file) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return 0


def _parquet_bytes(file: BinaryIO) -> int:
    """Return the decoded size of the columns, whatever their encoding."""
    try:
        metadata = pq.ParquetFile(file).metadata
    except (pa.ArrowException, OSError):
        return 0
    groups = range(metadata.num_row_groups)
    stored: int = sum(metadata.row_group(group).total_byte_size for group in groups)
    cells: int = metadata.num_rows * metadata.num_columns
    return max(stored, cells * CELL_BYTES)
