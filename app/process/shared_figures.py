"""Figures of several api processes as one: each writes its own into a file in memory.

A supervisor makes one file per process, and all processes inherit all of them. What a process that
died had counted stays in its file; the one that takes its place goes on from there, so that no
counter ever falls.
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

# A gauge of which the least counts, and not the sum. What only lasts as long as a process is left
# out once that has ended.
LEAST: Final = frozenset({"stepahead_registry_read_timestamp_seconds", "stepahead_store_up"})

Key = tuple[str, tuple[tuple[str, str], ...]]  # a sample's name and labels
Figures = dict[str, dict[Key, float]]  # by family


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Which of the files is this process's own."""

    descriptors: tuple[int, ...]
    own: int  # an index

    @classmethod
    def parse(cls, text: str) -> "Slot":
        """Read what `str` gives, as in 7,8,9@1."""
        descriptors, _, own = text.partition("@")
        return cls(descriptors=tuple(map(int, descriptors.split(","))), own=int(own))

    def __str__(self) -> str:
        return f"{','.join(map(str, self.descriptors))}@{self.own}"


def make_files(count: int) -> list[int]:
    """Make a file for each of `count` processes; for the supervisor, which closes them."""
    return [anonymous_file("figures") for _ in range(count)]


class SharedFigures:
    """This process's part of the figures, and the way to all of them."""

    def __init__(self, slot: Slot, registry: CollectorRegistry) -> None:
        self._slot = slot
        self._registry = registry
        self._file = slot.descriptors[slot.own]
        self._lock = threading.Lock()
        before = read_shared(self._file)
        self._generation = 0 if before is None else before.generation
        # Of those that died in this slot.
        self._before = {} if before is None else _unlisted(json.loads(before.text)[0])

    def publish(self, *, is_ending: bool = False) -> None:
        """Write this process's figures; its gauges no more when it ends."""
        with self._lock:
            counts, gauges = self._collected()
            text = json.dumps([_listed(counts), {} if is_ending else _listed(gauges)]).encode()
            self._generation += 1
            write_shared(self._file, self._generation, text)

    def collect(self) -> Iterator[Metric]:
        """Give all processes' figures, for a registry of Prometheus's client."""
        self.publish()  # what is told now was written: after a death nothing is taken back
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
                if not sample.name.endswith("_created"):  # means nothing of a sum
                    key = sample.name, tuple(sample.labels.items())
                    into[key] = sample.value + (0.0 if is_gauge else into.get(key, 0.0))
        return counts, gauges


def figures_in(descriptor: int) -> Figures:
    """Read what a process wrote; of one that has died, no gauges."""
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
