"""Run the benchmarks, one after the other, each in its own process: `make bench`.

    python -m benchmarks [--quick] [--only NAME ...] [--to FILE]

Writes benchmarks/RESULTS.md. If a benchmark fails or exceeds its time limit, the other benchmarks'
figures and those that it has already reported are kept. The exit code is 1 if one failed; a missed
figure is a result like any other.
"""

import argparse
import ast
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.figures import Outcome, line_of
from benchmarks.results import Machine, Section, written

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "RESULTS.md"
# Time limits in seconds, usually several times what a benchmark takes on a quiet machine.
BENCHMARKS = {
    "predict": 200,
    "serving": 120,
    "growth": 360,
    "registry": 120,
    "processes": 150,
    "pressure": 150,
    "train": 480,  # 70 of them to install PyTorch, the first time
    "read_csv": 90,
    "accuracy": 600,
    "zero_shot": 400,  # 40 once the references' forecasts are on disk
    "public": 900,
    "forecast_all": 900,
    "texts": 5400,
}
# Run only if named: 40 minutes of processor time, and 5 of both cores.
ON_REQUEST = ("texts", "forecast_all")
ALL_SECONDS = 1760  # `make bench` may take half an hour
ENDING_SECONDS = 30
OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


def main() -> int:
    """Run the benchmarks and write the results."""
    options = _options()
    if options.child:
        return give(options.child, options.to, quick=options.quick)
    machine = Machine.this()
    end_at = time.monotonic() + ALL_SECONDS
    sections = []
    for name in options.only:
        left = BENCHMARKS[name] if name in ON_REQUEST else end_at - time.monotonic()
        sections.append(run(name, quick=options.quick, seconds=min(BENCHMARKS[name], left)))
    options.to.write_text(written(machine, sections, quick=options.quick))
    print(f"\nwritten: {options.to}")
    return int(any(section.failure is not None for section in sections))


def run(name: str, *, quick: bool, seconds: float) -> Section:
    """Run a benchmark in a child process until it ends or reaches its limit."""
    print(f"\n== {name}", flush=True)
    started = time.monotonic()
    failure = None
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "outcomes"
        given.touch()
        command = [sys.executable, "-m", "benchmarks", "--child", name, "--to", str(given)]
        child = subprocess.Popen(
            [*command, *(["--quick"] * quick)],
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},  # silences TensorFlow's messages
            start_new_session=True,
        )
        try:
            if code := child.wait(max(0.0, seconds)):
                failure = f"it ended with {code}"
        except subprocess.TimeoutExpired:
            failure = f"it took longer than {max(0.0, seconds):.0f} s"
        finally:
            end(child)
        outcomes = tuple(
            OUTCOME.validate_python(json.loads(line)) for line in given.read_text().splitlines()
        )
    return Section(
        name=name,
        about=ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text())) or "",
        outcomes=outcomes,
        seconds=time.monotonic() - started,
        failure=failure,
    )


def end(child: "subprocess.Popen[bytes]") -> None:
    """Ask a child to stop what it has started, then kill the rest of its process group."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(ENDING_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def give(name: str, to: Path, *, quick: bool) -> int:
    """Report each outcome to the parent as soon as it is known; runs in the child."""
    outcomes: Iterator[Outcome] = import_module(f"benchmarks.{name}").measure(quick=quick)
    with to.open("a") as file:
        for outcome in outcomes:
            print(line_of(outcome), flush=True)
            file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
            file.flush()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [name for name in BENCHMARKS if (FOLDER / f"{name}.py").exists()]
    parser.add_argument("--quick", action="store_true", help="see that all runs")
    usual = [name for name in names if name not in ON_REQUEST]
    parser.add_argument("--only", nargs="+", choices=names, default=usual, help="these alone")
    parser.add_argument("--to", type=Path, default=RESULTS, help="where the results go")
    parser.add_argument("--child", choices=names, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
