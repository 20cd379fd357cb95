"""Write files and directories that are complete after a power cut, or absent."""

import os
import secrets
from pathlib import Path

from app.storage.embedded.account import Account

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def write_file(path: Path, text: str, *, mode: int = 0o644, owner: Account | None = None) -> None:
    """Replace `path` in one step.

    This is safe in a directory of another user (root writes PostgreSQL's files): the directory is
    opened once and links are not followed, so that its owner cannot redirect the write.

    Args:
        path: the file.
        text: its complete new content.
        mode: its permission bits, whatever the umask.
        owner: who will own it; None: this process's user.

    Raises:
        OSError: as reported by the system.
    """
    folder = os.open(path.parent, DIRECTORY | os.O_NOFOLLOW)
    partial = f".{path.name}.{secrets.token_hex(4)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(partial, flags, 0o600, dir_fd=folder), "w") as file:
            file.write(text)
            file.flush()
            if owner is not None and owner.uid != os.geteuid():
                os.fchown(file.fileno(), owner.uid, owner.gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(partial, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except OSError:
        _forget(partial, folder)
        raise
    finally:
        os.close(folder)


def _forget(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def make_directory(path: Path, *, mode: int, owner: Account | None = None) -> None:
    """Create `path` for `owner` with `mode`; leave an existing directory as it is.

    The exception is an incomplete one of ours: empty and still root's. It is handed over to
    `owner`.

    Raises:
        OSError: as reported by the system.
    """
    try:
        path.mkdir(mode=0o700)
        ours = True
    except FileExistsError:
        foreign = owner is not None and owner.uid != os.geteuid() == path.lstat().st_uid
        ours = foreign and not any(path.iterdir())
    if not ours:
        return
    folder = os.open(path, DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(folder, mode)
        if owner is not None and owner.uid != os.geteuid():
            os.fchown(folder, owner.uid, owner.gid)
    finally:
        os.close(folder)


def sync_directory(path: Path) -> None:
    """Write the names in `path` to the disk.

    Raises:
        OSError: as reported by the system.
    """
    folder = os.open(path, DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
