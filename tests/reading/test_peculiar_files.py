from pathlib import Path

import numpy as np
import pytest

from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.reader import ReadResult, read_file
from tests.reading.peculiar_files import DAYS, SAME, TABLE, Same


def read(folder: Path, name: str, data: bytes, **options: object) -> ReadResult:
    path = folder / name
    path.write_bytes(data)
    return read_file(path, name, ReadOptions.model_validate(options))


def test_there_are_many_peculiarities() -> None:
    assert len({entry.name for entry in SAME}) >= 40


@pytest.mark.parametrize("entry", SAME, ids=lambda entry: entry.name)
def test_it_reads_as_the_same_series(entry: Same, tmp_path: Path) -> None:
    result = read(tmp_path, entry.name, entry.data)
    content, report = result.content, result.report
    assert isinstance(content, SeriesContent)
    assert content.row_times_iso() == [day.isoformat() for day in DAYS]
    np.testing.assert_array_equal(content.values, np.array(TABLE, dtype=float).T)
    assert content.columns == entry.columns
    assert content.frequency == "B"
    assert report.target == ("Close" if "Close" in entry.columns else entry.columns[0])
    if entry.warning:
        assert entry.warning in report.warnings[0]
    else:
        assert report.warnings == []
    for name, value in entry.facts.items():
        assert getattr(report, name) == value, name
