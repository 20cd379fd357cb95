"""Combine the metrics of several api processes: each writes its own into a file in memory.

A supervisor creates a file for each process, and all processes inherit all of them. The counts of a
process that died stay in its file, and its successor continues from them, so that no counter ever
falls.
"""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Sample

from app.process.shared_memory import anonymous_file, read_shared, write_shared

# Gauges whose minimum is reported, not their sum. Gauges of a process that has ended are left out.
LEAST: Final = frozenset({"stepahead_registry_read_timestamp_seconds", "stepahead_store_up"})

Key = tuple[str, tuple[tuple[str, str], ...]]  # name and labels of a sample
Figures = dict[str, dict[Key, float]]  # by metric family


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Which of the files belongs to this process."""

    descriptors: tuple[int, ...]
    own: int  # index of the file

    @classmethod
    def parse(cls, text: str) -> "Slot":
        """Parse the text that `str` returns, such as 7,8,9@1."""
        descriptors, _, own = text.partition("@")
        return cls(descriptors=tuple(map(int, descriptors.split(","))), own=int(own))

    def __str__(self) -> str:
        return f"{','.join(map(str, self.descriptors))}@{self.own}"


def make_files(count: int) -> list[int]:
    """Create a file for each of `count` processes; the supervisor closes them."""
    return [anonymous_file("figures") for _ in range(count)]


class SharedFigures:
    """This process's part of the metrics, with access to the others."""

    def __init__(self, slot: Slot, registry: CollectorRegistry) -> None:
        self._slot = slot
        self._registry = registry
        self._file = slot.descriptors[slot.own]
        self._lock = threading.Lock()
        before = read_shared(self._file)
        self._generation = 0 if before is None else before.generation
        # Counts of processes that died in this slot.
        self._before = {} if before is None else _unlisted(json.loads(before.text)[0])

    def publish(self, *, is_ending: bool = False) -> None:
        """Write this process's metrics; leave out its gauges when it ends."""
        with self._lock:
            counts, gauges = self._collected()
            text = json.dumps([_listed(counts), {} if is_ending else _listed(gauges)]).encode()
            self._generation += 1
            write_shared(self._file, self._generation, text)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of all processes, for a registry of Prometheus's client."""
        self.publish()  # only written values are reported, so that a death takes nothing back
        written = [figures_in(descriptor) for descriptor in self._slot.descriptors]
        for family in self._registry.collect():
            total = Metric(family.name, family.documentation, family.type)
            merged: dict[Key, float] = {}
            for one in written:
                for key, value in one.get(family.name, {}).items():
                    known = merged.get(key)
                    if known is None:
                        merged[key] = value
                    else:
                        merged[key] = min(known, value) if key[0] in LEAST else known + value
            total.samples = [
                Sample(name, dict(labels), value) for (name, labels), value in merged.items()
            ]
            yield total

    def _collected(self) -> tuple[Figures, Figures]:
        counts: Figures = {name: dict(samples) for name, samples in self._before.items()}
        gauges: Figures = {}
        for family in self._registry.collect():
            is_gauge = family.type == "gauge"
            into = (gauges if is_gauge else counts).setdefault(family.name, {})
            for sample in family.samples:
                if not sample.name.endswith("_created"):  # meaningless in a sum
                    key = sample.name, tuple(sample.labels.items())
                    into[key] = sample.value + (0.0 if is_gauge else into.get(key, 0.0))
        return counts, gauges


def figures_in(descriptor: int) -> Figures:
    """Read what a process wrote, without gauges if it has died."""
    written = read_shared(descriptor)
    if written is None:
        return {}
    counts, gauges = map(_unlisted, json.loads(written.text))
    return counts | gauges if _is_alive(written.pid) else counts


def _listed(figures: Figures) -> dict[str, list[Any]]:
    return {
        name: [[sample, labels, value] for (sample, labels), value in samples.items()]
        for name, samples in figures.items()
    }


def _unlisted(listed: dict[str, list[Any]]) -> Figures:
    return {
        name: {
            (sample, tuple((key, text) for key, text in labels)): value
            for sample, labels, value in samples
        }
        for name, samples in listed.items()
    }


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
