"""Decide where the cluster of a data directory is, and which user owns it.

Usually it is in `<data_dir>/postgres`. If root starts Stepahead below a directory that PostgreSQL's
user cannot pass (a home of mode 700), it is in its own directory below /var/lib/stepahead:

    /var/lib/stepahead/<hash of the data directory's path>/      root's, mode 711: the "slot"
        data-directory.json     whose slot it is
        binaries-<hash>/        root's; if the virtual environment cannot be reached
        postgres/               the user's, mode 700: the "home"
            cluster/  log/  socket/  lock

`postgres.json` in the data directory records the home, so that it is found again even if the data
directory is moved.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from app.storage.embedded.account import Account, account_of, current_account, service_account
from app.storage.embedded.durable import make_directory, write_file
from app.storage.embedded.errors import (
    DataDirectoryDamaged,
    DataDirectoryForbidden,
    PathTooLong,
    explained,
)

RECORD = "postgres.json"
SLOT_OWNER = "data-directory.json"
HOME = "postgres"
CLUSTER = "cluster"
# PostgreSQL keeps paths in buffers of 1,024 bytes (MAXPGPATH) and appends file names to them.
MAX_HOME_BYTES = 900

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A home for the cluster, and the user that runs it."""

    home: Path
    account: Account
    relocated: bool  # whether it is below the slots' root instead of in the data directory

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home / CLUSTER


@dataclass(frozen=True, kw_only=True)
class Record:
    """The content of `postgres.json` for a cluster outside its data directory."""

    home: Path
    complete: bool  # whether the cluster was created; if it is gone, something is wrong


def find_site(data_dir: Path) -> Site | None:
    """Return the site of an existing cluster, or None if there is none yet; only read.

    Raises:
        DataDirectoryDamaged: the recorded cluster is gone, or belongs to another data directory.
        DataDirectoryForbidden: it belongs to a user that this process may not become.
    """
    record = _read_record(data_dir)
    home = record.home if record is not None else data_dir / HOME
    cluster = home / CLUSTER
    with explained("look for the database", cluster):
        try:
            owner = cluster.stat().st_uid
        except FileNotFoundError:
            owner = None
        except PermissionError:
            owner = home.stat().st_uid  # a home is only open to the user whose cluster it contains
    if owner is None:
        if record is not None and record.complete:
            raise DataDirectoryDamaged(
                f"{data_dir / RECORD} says that the database is in {home}, but there is none. "
                "Put it back there, or delete that file to begin with an empty database."
            )
        return None
    if record is not None:
        _refuse_copy(data_dir, home)
    return Site(home=home, account=_may_run(owner, cluster), relocated=record is not None)


def choose_site(data_dir: Path, slots: Path) -> Site:
    """Return a home for a new cluster, created if it is missing.

    Args:
        data_dir: the data directory, which exists.
        slots: where to put clusters that cannot be in their data directory.

    Raises:
        AccountMissing: this is root, and there is no user to run PostgreSQL.
        DataDirectoryForbidden: that user can reach neither place.
        EmbeddedPostgresError: a directory cannot be created.
    """
    here = current_account()
    account = service_account() if here.uid == 0 else here
    relocated = here.uid == 0 and not account.can_pass(data_dir)
    parent = slots / _slot_name(data_dir) if relocated else data_dir
    home = parent / HOME
    if len(os.fsencode(home)) > MAX_HOME_BYTES:
        raise PathTooLong(
            f"the path of {home} has {len(os.fsencode(home))} bytes, and PostgreSQL takes "
            f"{MAX_HOME_BYTES}. Choose a shorter one with STEPAHEAD_DATA_DIR."
        )
    if relocated:
        open_slot(parent, data_dir, account)
    with explained("make a place for the database", home):
        make_directory(home, mode=0o700, owner=account)
        if not relocated:
            (data_dir / RECORD).unlink(missing_ok=True)  # of an interrupted start
    return Site(home=home, account=account, relocated=relocated)


def claim_home(data_dir: Path, site: Site) -> None:
    """Record a home outside the data directory for a new cluster. The caller holds its lock.

    An existing cluster there belongs to a data directory that was deleted and created again. It is
    kept under another name and never used here.

    Raises:
        EmbeddedPostgresError: it cannot be written.
    """
    if site.cluster.exists():
        kept = set_aside(data_dir, site)
        logger.warning("kept the database of a deleted data directory", kept=str(kept))
    write_record(data_dir, site.home, complete=False)


def set_aside(data_dir: Path, site: Site) -> Path:
    """Rename a cluster, so that the next start creates a new one in its place.

    The caller holds the data directory's lock.

    Returns:
        Where the cluster lies now.

    Raises:
        EmbeddedPostgresError: it cannot be moved.
    """
    with explained("set the old database aside", site.cluster):
        kept = site.home / f"{CLUSTER}-until-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        if site.relocated:
            write_record(data_dir, site.home, complete=False)
        site.cluster.rename(kept)
    return kept


def slot_of(data_dir: Path, slots: Path, site: Site) -> Path:
    """Return the slot of this data directory, whether or not its cluster is there."""
    return site.home.parent if site.relocated else slots / _slot_name(data_dir)


def open_slot(slot: Path, data_dir: Path, account: Account) -> None:
    """Create a slot that `account` can pass, marked as this data directory's.

    Raises:
        DataDirectoryForbidden: others than root may write to the slots' root, or `account` cannot
            pass it.
        EmbeddedPostgresError: it cannot be created.
    """
    with explained("make a place for PostgreSQL", slot):
        slot.parent.parent.mkdir(parents=True, exist_ok=True)
        make_directory(slot.parent, mode=0o711)
        status = slot.parent.lstat()
        if status.st_uid not in {os.geteuid(), account.uid} or status.st_mode & 0o022:
            raise DataDirectoryForbidden(
                f"{slot.parent} must belong to root and be writable by nobody else, since programs "
                "are run from there. Change that, or remove it if it is not in use."
            )
        make_directory(slot, mode=0o711)
        if not account.can_pass(slot):
            raise DataDirectoryForbidden(
                f"{account}, who has to run PostgreSQL, can reach neither {data_dir} nor {slot}. "
                f"Let it pass {slot.parent} (mode 711), or start Stepahead as an ordinary user."
            )
        write_file(slot / SLOT_OWNER, json.dumps({"data_dir": str(data_dir)}) + "\n")


def write_record(data_dir: Path, home: Path, *, complete: bool) -> None:
    """Record in the data directory where its cluster is.

    Raises:
        EmbeddedPostgresError: it cannot be written.
    """
    with explained("record where the database is", data_dir):
        record = {"home": str(home), "complete": complete}
        write_file(data_dir / RECORD, json.dumps(record) + "\n")


def _read_record(data_dir: Path) -> Record | None:
    path = data_dir / RECORD
    with explained("read where the database is", path):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
    try:
        record = json.loads(text)
        return Record(home=Path(record["home"]), complete=bool(record["complete"]))
    except (ValueError, TypeError, KeyError):
        raise DataDirectoryDamaged(
            f"{path} should say where the database is, but is not valid. Restore it from "
            "a backup; if there was no database yet, delete it."
        ) from None


def _refuse_copy(data_dir: Path, home: Path) -> None:
    """Refuse a copied data directory, whose cluster would be served twice; a moved one is fine."""
    path = home.parent / SLOT_OWNER
    try:
        other = Path(json.loads(path.read_text(encoding="utf-8"))["data_dir"])
        if other == data_dir or not other.is_dir():
            return
        theirs = _read_record(other)
    except (OSError, ValueError, TypeError, KeyError):
        return
    if theirs is not None and theirs.home == home:
        raise DataDirectoryDamaged(
            f"{data_dir} is a copy of {other}, and both have their database in {home}. Serve from "
            f"{other}, or delete {data_dir / RECORD} to begin here with an empty database."
        )


def _may_run(owner: int, cluster: Path) -> Account:
    """Return who runs an existing cluster: its owner, if this process is that user or root."""
    here = os.geteuid()
    if owner == 0:
        raise DataDirectoryForbidden(
            f"{cluster} belongs to root, and PostgreSQL refuses to run as root. Give it to the "
            f"user that is to run it: chown -R USER {cluster.parent}"
        )
    account = account_of(owner)
    if here not in {0, owner}:
        raise DataDirectoryForbidden(
            f"{cluster} belongs to {account}: Stepahead was started here as root or by that user "
            "before. Start it that way again, have root give you the data directory (chown -R), "
            "or choose another one with STEPAHEAD_DATA_DIR."
        )
    if here == 0 and not account.can_pass(cluster):
        raise DataDirectoryForbidden(
            f"{account}, to whom the database in {cluster} belongs, can no longer reach it: a "
            "directory above it was closed to others. Open it again for passing (chmod o+x)."
        )
    return account


def _slot_name(data_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
