"""A worker whose disk was full takes its next job when there is room, and says so until then."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from app.jobs import room
from app.jobs.room import ROOM_BYTES, Room


class Usage(NamedTuple):
    free: int


class Disk:
    """What is free, look by look; the last figure stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *free: int) -> None:
        self._free = list(free)
        self.looks = 0
        monkeypatch.setattr(shutil, "disk_usage", self._look)
        monkeypatch.setattr(room, "POLL_SECONDS", 0.0)

    def _look(self, _folder: Path) -> Usage:
        self.looks += 1
        return Usage(self._free.pop(0) if len(self._free) > 1 else self._free[0])


def never() -> bool:
    return False


def test_a_worker_that_never_ran_out_of_room_does_not_look_for_any(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = Disk(monkeypatch, 0)
    plenty = Room(tmp_path)
    plenty.wait(never)
    assert plenty.against_work() is None
    assert disk.looks == 0


def test_it_waits_until_room_was_freed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    disk = Disk(monkeypatch, 0, 5 << 20, 10, ROOM_BYTES - 1, ROOM_BYTES)
    full = Room(tmp_path)
    full.ran_out()
    assert full.against_work() == f"the disk of {tmp_path} is full: 5 MiB are free"
    full.wait(never)
    assert disk.looks == 5
    assert full.against_work() is None


def test_a_job_that_needed_more_than_there_was_waits_for_more_than_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = Disk(monkeypatch, ROOM_BYTES + 1, ROOM_BYTES + 1, 2 * ROOM_BYTES + 1)
    full = Room(tmp_path)
    full.ran_out()
    full.wait(never)
    assert disk.looks == 3


def test_it_gives_the_job_another_chance_after_a_pause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = Disk(monkeypatch, ROOM_BYTES + 1)
    full = Room(tmp_path)
    full.ran_out()
    monkeypatch.setattr(room, "PAUSE_SECONDS", 0.0)
    full.wait(never)
    assert disk.looks == 2


def test_a_worker_that_stops_does_not_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Disk(monkeypatch, 0)
    full = Room(tmp_path)
    full.ran_out()
    full.wait(lambda: True)
