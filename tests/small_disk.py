"""A small file system in memory that can be filled to its last byte."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.places import open_place

DISK_BYTES = 320 << 20  # a fresh cluster and the shipped models take about 60 MB
BLOCK = bytes(1 << 20)


@contextmanager
def small_disk(size: int = DISK_BYTES) -> Iterator[Path]:
    """Yield a mounted file system; skip the test where none may be mounted."""
    with open_place() as place:
        disk = place / "disk"
        disk.mkdir(mode=0o711)
        options = f"size={size},mode=0711"
        try:
            run("mount", "-t", "tmpfs", "-o", options, "stepahead-test", str(disk))
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a small disk cannot be mounted here: that takes root, and more rights")
        try:
            yield disk
        finally:
            run("umount", "--lazy", str(disk))


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no space on the disk until the block ends."""
    ballast = disk / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        block = BLOCK
        while block:
            try:
                os.write(descriptor, block)
            except OSError:
                block = block[: len(block) // 2]
        yield
    finally:
        os.close(descriptor)
        ballast.unlink()


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
