"""Define what can keep the embedded PostgreSQL from running, for the person who starts it.

EmbeddedPostgresError
├── DataDirectoryInUse      another service has the lock
├── DataDirectoryForbidden  a permission is missing, or the cluster is another user's
├── DataDirectoryDamaged    a part of it is missing, unreadable, or belongs to a copy
├── NewerDataDirectory      a newer Stepahead wrote it
├── WrongMajorVersion       another PostgreSQL major wrote it
├── PathTooLong             longer than PostgreSQL allows
├── DiskFull                no space left
├── BinariesMissing         no PostgreSQL for this machine
├── AccountMissing          started by root, and there is no unprivileged user to run it
└── StartFailed             PostgreSQL itself failed; includes the end of its log
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot run; the message says what, where and what to do."""


class DataDirectoryInUse(EmbeddedPostgresError):
    """Another service is running on this data directory."""


class DataDirectoryForbidden(EmbeddedPostgresError):
    """This user may not use the data directory."""


class DataDirectoryDamaged(EmbeddedPostgresError):
    """The data directory was changed or damaged; this start changed nothing in it."""


class NewerDataDirectory(EmbeddedPostgresError):
    """A newer Stepahead wrote the data directory; nothing in it was changed."""


class WrongMajorVersion(EmbeddedPostgresError):
    """Another PostgreSQL major wrote the cluster; nothing in it was changed."""


class PathTooLong(EmbeddedPostgresError):
    """The data directory's path is longer than PostgreSQL allows."""


class DiskFull(EmbeddedPostgresError):
    """No space is left on the cluster's disk."""


class BinariesMissing(EmbeddedPostgresError):
    """There is no PostgreSQL that runs on this machine."""


class AccountMissing(EmbeddedPostgresError):
    """The service was started by root, and there is no unprivileged user to run PostgreSQL."""


class StartFailed(EmbeddedPostgresError):
    """PostgreSQL failed; the message includes the end of its log."""


NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
# EINVAL: chown to a user that a user namespace (a rootless container) does not have.
NOT_PERMITTED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL})
OTHER_DIRECTORY = "or choose another directory with STEPAHEAD_DATA_DIR"


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError in the block into the matching error.

    Args:
        action: what is being done, as in "cannot ACTION".
        path: for the message, unless the error has a file name.

    Raises:
        DiskFull, DataDirectoryForbidden, PathTooLong, EmbeddedPostgresError: by the errno.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        place = Path(error.filename) if isinstance(error.filename, str) else path
        raise _by_errno(error.errno, f"cannot {action}: {place}: {reason}", path) from error


def failure(action: str, path: Path, output: str) -> EmbeddedPostgresError:
    """Map a failed PostgreSQL program's output to the matching error."""
    message = f"cannot {action} in {path}; PostgreSQL said:\n{_tail(output)}"
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return _by_errno(errno.ENOSPC, message, path)
    if "Permission denied" in output or "Read-only file system" in output:
        return _by_errno(errno.EACCES, message, path)
    return StartFailed(message)


def _by_errno(number: int | None, told: str, path: Path) -> EmbeddedPostgresError:
    if number in NO_SPACE:
        return DiskFull(f"{told}\nMake room on the disk of {path}, {OTHER_DIRECTORY}.")
    if number in NOT_PERMITTED:
        return DataDirectoryForbidden(
            f"{told}\nGive this user the right to it (a directory that root made stays root's: "
            f"start as root again, or chown it), {OTHER_DIRECTORY}."
        )
    if number == errno.ENAMETOOLONG:
        return PathTooLong(f"{told}\nChoose a shorter path with STEPAHEAD_DATA_DIR.")
    return EmbeddedPostgresError(told)


def _tail(output: str, lines: int = 12) -> str:
    shown = [line for line in output.splitlines() if line.strip()][-lines:]
    return "\n".join(f"  {line}" for line in shown) or "  (nothing)"
