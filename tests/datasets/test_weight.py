from pathlib import Path

import pytest

from app.datasets.weight import unpacked_bytes
from tests.datasets.packed_files import CSV, archive, damaged, parquet, spreadsheet, write, zeros


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (CSV, len(CSV)),
        (b"", 0),
        (zeros(1_000_000), 1_000_000),
        (archive({"a.csv": "0" * 1_000_000}), 1_000_000),
        (parquet(rows=1_000_000, columns=3), 24_000_000),
    ],
    ids=["csv", "empty", "gzip", "zip", "parquet"],
)
def test_a_packed_file_weighs_what_it_declares(tmp_path: Path, data: bytes, size: int) -> None:
    assert unpacked_bytes(write(tmp_path, "file", data)) == size


def test_a_spreadsheet_weighs_what_its_parts_do(tmp_path: Path) -> None:
    small = unpacked_bytes(write(tmp_path, "s.xlsx", spreadsheet({"A1": "1"})))
    large = unpacked_bytes(
        write(tmp_path, "l.xlsx", spreadsheet({f"A{row}": "1" for row in range(1, 9_000)}))
    )

    assert small < 2_000
    assert large > 200_000


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f\x8b",
        b"PK\x03\x04",
        b"PAR1",
        b"PAR1PAR1",
        b"PAR1\xff\xff\xff\xffPAR1",
        damaged(parquet(rows=100, columns=2)),
        archive({"a.csv": "1,2"})[:-10],
    ],
)
def test_what_is_broken_weighs_its_own_size(tmp_path: Path, data: bytes) -> None:
    assert unpacked_bytes(write(tmp_path, "file", data)) == len(data)
