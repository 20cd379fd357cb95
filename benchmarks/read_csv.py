"""Compare our reader with pandas.read_csv on a million rows (date, 5 numbers), in the same run.

Reported are the best times, and our peak memory relative to the size of the file. pandas uses its
fastest engine for this file and parses the dates; the reader also validates, sorts, checks and
reports. Both are warm.
A second file has a million quoted amounts such as "$1,234.56", which no engine of pandas reads as
numbers: pandas is told to strip the signs and to convert the column.

    python -m benchmarks.read_csv [--quick]
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from benchmarks.figures import Figure, Reference, at_most, run_alone

ROWS = 1_000_000
REPEATS = 7
AMOUNT_REPEATS = 3


def write(path: Path, rows: int) -> None:
    """Write the file with this many minutes."""
    generator = np.random.default_rng(0)
    times = pd.date_range("2015-01-01", periods=rows, freq="min")
    frame = pd.DataFrame({"Date": times.strftime("%Y-%m-%d %H:%M:%S")})
    for name in ("Open", "High", "Low", "Close", "Volume"):
        frame[name] = generator.normal(500, 10, rows).round(2)
    frame.to_csv(path, index=False)


def write_amounts(path: Path, rows: int) -> None:
    """Write a file of minutes and quoted amounts with a currency sign and thousands separators."""
    amounts = np.random.default_rng(0).normal(5000, 1000, rows).round(2)
    times = pd.date_range("2015-01-01", periods=rows, freq="min").strftime("%Y-%m-%d %H:%M:%S")
    with path.open("w") as file:
        file.write("Date,Amount\n")
        file.writelines(
            f'{time},"${amount:,.2f}"\n' for time, amount in zip(times, amounts, strict=True)
        )


def amounts_by_pandas(path: Path) -> object:
    """Read the amounts with pandas."""
    frame = pd.read_csv(path, parse_dates=["Date"])
    frame["Amount"] = frame["Amount"].str.replace(r"[$,]", "", regex=True).astype(float)
    return frame


def best(actions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the shortest run of each in seconds; they take turns, to be fair on a busy machine."""
    seconds: dict[str, float] = {}
    for _ in range(repeats):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            taken = time.perf_counter() - start
            seconds[name] = min(taken, seconds.get(name, taken))
    return seconds


def ours(path: Path) -> None:
    """Run our reader with everything that it does."""
    read_file(path, path.name, ReadOptions())


def peak_bytes(path: Path) -> int:
    """Return how much memory reading one file adds to a process that has read a small one."""
    small = path.with_name("small.csv")
    with path.open() as file:
        small.write_text("".join(file.readline() for _ in range(1000)))
    code = (
        "import sys; from pathlib import Path\n"
        "from benchmarks.read_csv import ours, resident\n"
        "ours(Path(sys.argv[1])); before = resident(); ours(Path(sys.argv[2]))\n"
        "print(resident() - before)"
    )
    command = [sys.executable, "-c", code, str(small), str(path)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def resident() -> int:
    """Return the peak memory of this process (ru_maxrss would include its parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def measure(*, quick: bool) -> Iterator[Figure]:
    """Compare the time with pandas's, and the memory with the file's size."""
    rows, repeats = (ROWS // 20, 2) if quick else (ROWS, REPEATS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write(path, rows)
        engines: dict[str, Callable[[], object]] = {
            "c": lambda: pd.read_csv(path, parse_dates=["Date"]),
            "pyarrow": lambda: pd.read_csv(path, parse_dates=["Date"], engine="pyarrow"),
        }
        reference = best({**engines, "ours": lambda: ours(path)}, repeats)
        seconds = reference.pop("ours")
        fastest = min(reference, key=reference.__getitem__)
        yield Figure(
            name=f"reading {rows:,} rows",
            value=seconds,
            unit="s",
            reference=Reference(
                name=f"pandas.read_csv, engine {fastest}", value=reference[fastest]
            ),
            wanted=at_most(3),
        )
        amounts = Path(folder) / "amounts.csv"
        write_amounts(amounts, rows)
        seconds_of = best(
            {"ours": lambda: ours(amounts), "pandas": lambda: amounts_by_pandas(amounts)},
            min(repeats, AMOUNT_REPEATS),
        )
        yield Figure(
            name=f"reading {rows:,} quoted amounts",
            value=seconds_of["ours"],
            unit="s",
            reference=Reference(name="pandas, told how", value=seconds_of["pandas"]),
            wanted=at_most(3),
        )
        yield Figure(
            name="memory while reading",
            value=peak_bytes(path) / 2**20,
            unit="MiB",
            reference=Reference(name="the file", value=path.stat().st_size / 2**20),
            wanted=at_most(6),
        )


if __name__ == "__main__":
    sys.exit(run_alone(measure))
