"""Files and folders that survive a power cut."""

import os
from pathlib import Path


def has_linked(path: Path, target: Path) -> bool:
    """Give a file a second name, where that is possible."""
    try:
        target.parent.mkdir(exist_ok=True)
        target.hardlink_to(path)
    except OSError:  # mostly another file system; copying it will tell of anything else
        return False
    return True


def sync(path: Path) -> None:
    """Write a file or a folder to the disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_durably(folder: Path, *, below: Path) -> None:
    """Make a folder and its parents so that they survive a power cut."""
    if folder == below or folder.is_dir():
        return
    make_durably(folder.parent, below=below)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)
