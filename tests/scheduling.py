"""Decide the order of the test files, and which of them share a process."""

from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

TESTS = Path(__file__).resolve().parent
# Fixtures that the tests of several files share, and those files.
SHARED = {
    "one whole service": (
        "compat/test_clients_document.py",
        "jobs/test_real_trainer.py",
        "terminal/commands/test_served_files.py",
        "test_readme.py",
        "web/test_training.py",
    ),
    "one import of TensorFlow and scikit-learn": (
        "training/",
        "cells/test_keras.py",
        "cells/test_network.py",
        "forecasting/",
        "judging/",
        "registry/test_promotion.py",
    ),
}
# The files that take longest, so that none of them starts last.
FIRST = (
    *(start for starts in SHARED.values() for start in starts),
    "test_supervisor.py",
    "jobs/test_worker.py",
    "chaos/",
    "examples/test_chapter_document.py",
    "jobs/test_database_loss.py",
    "web/",
)


class Together(LoadFileScheduling):  # type: ignore[misc]
    """Files as units of work in the order of collection; some files form one unit."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        name = file.removeprefix("tests/")
        return next((what for what, starts in SHARED.items() if name.startswith(starts)), file)


def sort_by_place(items: list[pytest.Item]) -> None:
    """Put long files first; otherwise slow tests might start when all others are finished."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (_place(item), item.path not in slow))  # keeps each file together


def _place(item: pytest.Item) -> int:
    name = item.path.relative_to(TESTS).as_posix()
    return next((i for i, start in enumerate(FIRST) if name.startswith(start)), len(FIRST))
