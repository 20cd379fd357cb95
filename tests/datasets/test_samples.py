import csv
import subprocess
import sys
from datetime import datetime

import pytest

from app.datasets.samples import SAMPLES, Sample, UnknownSample, find_sample, rows


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_is_a_series_oldest_first(sample: Sample) -> None:
    header, *values = rows(sample)
    assert header == list(sample.columns)
    times = [datetime.fromisoformat(row[0]) for row in values]
    assert times == sorted(set(times))
    assert len(times) > 60
    assert all(float(cell) == float(cell) for row in values for cell in row[1:])


def test_one_share_is_taken_from_the_file_of_all() -> None:
    google = list(rows(find_sample("google")))
    assert google[1] == ["2004-08-01", "102.37"]
    assert google[-1] == ["2010-03-01", "560.19"]


def test_an_unknown_sample_is_reported_with_the_known_ones() -> None:
    with pytest.raises(UnknownSample, match=r"no sample 'gogle'; there are apple, .*google"):
        find_sample("gogle")


def test_the_command_writes_csv_and_loads_no_pandas() -> None:
    script = (
        "import sys; from app.terminal.cli.command_line import cli; "
        "cli(['sample', 'seattle-weather'], standalone_mode=False); "
        "assert 'pandas' not in sys.modules"
    )
    written = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout
    table = list(csv.reader(written.splitlines()))
    assert table[0][:2] == ["date", "temp_max"]
    assert len(table) == 1462
