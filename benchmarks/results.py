"""Write benchmarks/RESULTS.md: the machine, the versions, every figure, and what was measured."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.figures import Figure, Outcome, Table, number

SHOWN_VERSIONS = (
    *("stepahead", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic"),
    *("onnxruntime", "psycopg", "sqlalchemy", "procrastinate", "numpy", "pandas", "pyarrow"),
    *("tensorflow-cpu", "tensorflow", "keras", "scikit-learn", "torch"),
)
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine on which the figures were measured."""

    processor: str
    cores: int  # that this process may use
    memory_bytes: int
    load: float  # over the minute before the run, without the run itself
    system: str

    @classmethod
    def this(cls) -> "Machine":
        """Describe this machine now."""
        described = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
        names = [
            line.partition(":")[2].strip()
            for line in described.splitlines()
            if line.startswith("model name")
        ]
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        limit = CONTAINER_LIMIT.read_text().strip() if CONTAINER_LIMIT.exists() else "max"
        return cls(
            processor=names[0] if names else platform.processor() or platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            memory_bytes=memory if limit == "max" else min(memory, int(limit)),
            load=os.getloadavg()[0],
            system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        )


@dataclass(frozen=True, kw_only=True)
class Section:
    """The results of one benchmark."""

    name: str
    about: str  # its docstring
    outcomes: tuple[Outcome, ...]
    seconds: float
    failure: str | None  # why it did not finish


def written(machine: Machine, sections: Sequence[Section], *, quick: bool) -> str:
    """Return the whole document."""
    seconds = sum(section.seconds for section in sections)
    lines = [
        "# Results",
        "",
        (
            f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, in {seconds / 60:.0f} "
            "minutes. Every reference was measured in the same run on the same cores; the ratios "
            "are what carries over to another machine, the figures are not."
        ),
        "",
        *(["**A quick run, to see that everything runs: the figures mean little.**", ""] * quick),
        *_about_machine(machine),
        "",
        *_summary(sections),
    ]
    for section in sections:
        lines += ["", f"## {section.name}", "", section.about.strip(), ""]
        lines += [f"Took {section.seconds:.0f} s."]
        if section.failure is not None:
            lines += ["", f"**It did not come to its end:** {section.failure}"]
        figures = [outcome for outcome in section.outcomes if isinstance(outcome, Figure)]
        if figures:
            lines += ["", *_figures(figures)]
        for table in section.outcomes:
            if isinstance(table, Table):
                lines += ["", f"**{table.title}**", "", *_grid(table.columns, table.rows)]
                lines += ["", table.note] if table.note else []
    return "\n".join(lines) + "\n"


def _about_machine(machine: Machine) -> list[str]:
    versions = [f"{name} {found}" for name in SHOWN_VERSIONS if (found := _version(name))]
    return [
        (
            f"Machine: {machine.cores} cores of {machine.processor}, "
            f"{machine.memory_bytes / 2**30:.0f} GiB of memory, {machine.system}; "
            f"load {machine.load:.2f} when the run began."
        ),
        "",
        f"Versions: {', '.join(versions)}.",
    ]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _summary(sections: Sequence[Section]) -> list[str]:
    figures = [each for one in sections for each in one.outcomes if isinstance(each, Figure)]
    wanted = [figure for figure in figures if figure.met is not None]
    missed = [figure.name for figure in wanted if not figure.met]
    failed = [section.name for section in sections if section.failure is not None]
    lines = [f"{len(wanted) - len(missed)} of {len(wanted)} wanted figures are met."]
    if missed:
        lines += ["Missed: " + "; ".join(missed) + "."]
    if failed:
        lines += ["Not measured to the end: " + ", ".join(failed) + "."]
    return [" ".join(lines)]


def _figures(figures: Sequence[Figure]) -> list[str]:
    rows = [
        (
            figure.name,
            f"{number(figure.value)} {figure.unit}".rstrip(),
            "" if figure.reference is None else _reference(figure),
            "" if figure.ratio is None else number(figure.ratio),
            "" if figure.wanted is None else f"{figure.wanted.side} {number(figure.wanted.bound)}",
            {None: "", True: "met", False: "**missed**"}[figure.met],
            figure.note,
        )
        for figure in figures
    ]
    columns = ("what", "measured", "reference", "ratio", "wanted", "", "note")
    return _grid(columns, rows)


def _reference(figure: Figure) -> str:
    reference = figure.reference
    if reference is None:
        return ""
    return f"{number(reference.value)} {figure.unit}".rstrip() + f": {reference.name}"


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
