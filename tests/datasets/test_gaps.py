"""Where a regular series lacks rows, and where it does not."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.datasets.test_peculiar_files import read


@pytest.mark.parametrize(
    ("first", "step", "frequency"),
    [("2020-01-01T12:00", 24, "D"), ("2020-01-01T00:30", 1, "h"), ("2020-01-05T12:00", 168, "W")],
)
def test_steps_halfway_between_two_are_no_gaps(
    tmp_path: Path, first: str, step: int, frequency: str
) -> None:
    start = datetime.fromisoformat(first)
    times = [start + timedelta(hours=step * at) for at in range(40) if at != 20]
    lines = "".join(f"{time.isoformat()},{at}\n" for at, time in enumerate(times))
    report = read(tmp_path, "file.csv", f"time,x\n{lines}".encode()).report
    assert (report.frequency, report.gap_count) == (frequency, 1)
    assert [gap.after for gap in report.gaps] == [times[19].isoformat()]
