"""Write files and folders so that they survive a power cut."""

import os
from pathlib import Path


def has_linked(path: Path, target: Path) -> bool:
    """Give a file a second name if possible, and return whether it has one."""
    try:
        target.parent.mkdir(exist_ok=True)
        target.hardlink_to(path)
    except OSError:  # usually another file system; any other cause shows up when the file is copied
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
    """Create a folder and its parents so that they survive a power cut."""
    if folder == below or folder.is_dir():
        return
    make_durably(folder.parent, below=below)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)
