"""Create a directory for PostgreSQL's socket that only its user can enter, with a short path."""

import json
import os
import re
import stat
import tempfile
from pathlib import Path

from app.storage.embedded.account import Account
from app.storage.embedded.durable import make_directory, write_file
from app.storage.embedded.errors import PathTooLong, explained
from app.storage.embedded.site import Site

PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
MAX_SOCKET_BYTES = 107  # sun_path has 108 bytes, including the final NUL
RECORD = "socket.json"
PREFIX = "stepahead-"
PRIVATE = 0o700
# The path may contain none of these: PostgreSQL splits its setting at commas, libpq splits `host`
# at commas, and SQLAlchemy at colons.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")


def open_socket_directory(site: Site) -> Path:
    """Return the home's own `socket`, or a private temporary directory if that path is too long.

    A temporary directory is recorded in the home and used again after a crash. So its path stays
    the same for processes that survive the crash, and none are left behind.

    Raises:
        PathTooLong: even the temporary paths are too long.
        EmbeddedPostgresError: it cannot be created.
    """
    own = site.home / "socket"
    with explained("make a directory for PostgreSQL's socket", own):
        if _fits(own):
            make_directory(own, mode=PRIVATE, owner=site.account)
            return own
        recorded = _recorded(site)
        if recorded is not None and is_private(recorded, site.account):
            return recorded
        made = _make_temporary(site.account)
        record = json.dumps({"directory": str(made)}) + "\n"
        write_file(site.home / RECORD, record, mode=0o600, owner=site.account)
        return made


def close_socket_directory(site: Site) -> None:
    """Remove a temporary directory after PostgreSQL has stopped.

    Raises:
        EmbeddedPostgresError: it cannot be removed.
    """
    recorded = _recorded(site)
    if recorded is None:
        return
    with explained("remove the directory of PostgreSQL's socket", recorded):
        if is_private(recorded, site.account):
            for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
                (recorded / name).unlink(missing_ok=True)
            recorded.rmdir()
        (site.home / RECORD).unlink()


def is_private(directory: Path, account: Account) -> bool:
    """Return whether it is a directory, not a link, that only `account` and root may enter."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    private = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == PRIVATE
    return private and status.st_uid == account.uid


def _fits(directory: Path) -> bool:
    path = directory / SOCKET_NAME
    return len(os.fsencode(path)) <= MAX_SOCKET_BYTES and bool(PLAIN_PATH.fullmatch(str(path)))


def _recorded(site: Site) -> Path | None:
    try:
        record = json.loads((site.home / RECORD).read_text(encoding="utf-8"))
        directory = Path(record["directory"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return directory if directory.name.startswith(PREFIX) else None


def _make_temporary(account: Account) -> Path:
    """Create a directory with an unpredictable name that is private from the start."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    parents = [Path(runtime)] if runtime else []
    parents += [Path("/run"), Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108
    for parent in parents:
        if not _fits(parent / f"{PREFIX}12345678"):
            continue
        try:
            if not account.can_pass(parent):
                continue
            made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        except OSError:  # missing, or not accessible to us
            continue
        if account.uid != os.geteuid():
            os.chown(made, account.uid, account.gid)
        return made
    raise PathTooLong(
        f"no directory for PostgreSQL's socket: its path may have {MAX_SOCKET_BYTES} bytes, and "
        f"none of {', '.join(map(str, parents))} is short enough and writable. Choose a shorter "
        "data directory with STEPAHEAD_DATA_DIR, or set TMPDIR to a short path."
    )
