"""A million rows (date, 5 numbers): our reader beside pandas.read_csv, in the same run.

Prints the ratio of the best times, and our peak memory in sizes of the file. pandas is given its
fastest engine for this file and parses the dates; the reader also validates, sorts, checks and
reports. Both are warm.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from app.datasets.read_options import ReadOptions
from app.datasets.reading import read_file

ROWS = 1_000_000
REPEATS = 7


def write(path: Path) -> None:
    """The file: a million minutes."""
    generator = np.random.default_rng(0)
    times = pd.date_range("2015-01-01", periods=ROWS, freq="min")
    frame = pd.DataFrame({"Date": times.strftime("%Y-%m-%d %H:%M:%S")})
    for name in ("Open", "High", "Low", "Close", "Volume"):
        frame[name] = generator.normal(500, 10, ROWS).round(2)
    frame.to_csv(path, index=False)


def best(actions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The shortest run of each, in seconds; they take turns, so that a busy machine is fair."""
    seconds: dict[str, float] = {}
    for _ in range(REPEATS):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            taken = time.perf_counter() - start
            seconds[name] = min(taken, seconds.get(name, taken))
    return seconds


def ours(path: Path) -> None:
    """Our reader, with everything it does."""
    read_file(path, path.name, ReadOptions())


def peak_bytes(path: Path) -> int:
    """What reading one file adds to the memory of a process that has read a small one."""
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
    """The most memory that this process has used (ru_maxrss would count its parent's as well)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.csv"
        write(path)
        size = path.stat().st_size
        engines: dict[str, Callable[[], object]] = {
            "c": lambda: pd.read_csv(path, parse_dates=["Date"]),
            "pyarrow": lambda: pd.read_csv(path, parse_dates=["Date"], engine="pyarrow"),
        }
        reference = best({**engines, "ours": lambda: ours(path)})
        seconds = reference.pop("ours")
        fastest = min(reference, key=reference.__getitem__)
        print(f"pandas ({fastest}): {reference[fastest]:.2f} s, stepahead: {seconds:.2f} s")
        print(f"ratio: {seconds / reference[fastest]:.2f} (at most 3)")
        print(f"memory: {peak_bytes(path) / size:.1f} times the file (at most 6)")


if __name__ == "__main__":
    main()
