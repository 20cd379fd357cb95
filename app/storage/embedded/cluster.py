"""Create a cluster, and recognise an existing one."""

import os
import secrets
import shutil
from pathlib import Path

from app.storage.embedded.account import Account, account_of, run_as
from app.storage.embedded.binaries import Binaries
from app.storage.embedded.durable import sync_directory, write_file
from app.storage.embedded.errors import (
    DataDirectoryDamaged,
    EmbeddedPostgresError,
    WrongMajorVersion,
    explained,
    failure,
)
from app.storage.embedded.site import CLUSTER, Site

DATABASE = "stepahead"
ROLE = "stepahead"  # owns the database and may create others; not a superuser
SUPERUSER = "postgres"
PARTIAL_PREFIX = f"{CLUSTER}.new-"
PEER_MAP = "stepahead"

# Appended once, when the cluster is created; an operator may change them. Settings that must not be
# changed are given on the command line (postmaster.py).
SETTINGS = """
# Stepahead's choices; changes here are kept.
max_connections = 100
shared_buffers = 64MB
max_wal_size = 512MB
min_wal_size = 512MB                # files once made are kept: to make one holds up all commits
huge_pages = off                    # some containers offer them and then refuse
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_directory = '../log'
log_filename = 'postgresql-%a.log'  # a file for each day of the week, begun anew each week
log_file_mode = 0600
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_checkpoints = off
log_line_prefix = '%m [%p] %a '
"""

# One statement per line, as the single-user server expects.
FIRST_STATEMENTS = (
    f"CREATE ROLE {ROLE} LOGIN CREATEDB",
    f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
)


def check_major(cluster: Path, binaries: Binaries) -> None:
    """Refuse a cluster that these binaries cannot run; only read.

    Raises:
        WrongMajorVersion: a different major version created it.
        DataDirectoryDamaged: it is not a cluster.
        EmbeddedPostgresError: it cannot be read.
    """
    path = cluster / "PG_VERSION"
    with explained("read the database's version", path):
        try:
            major = path.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            major = ""
    if not major:
        raise DataDirectoryDamaged(
            f"{cluster} is there, but is no PostgreSQL cluster (it has no PG_VERSION). Restore it "
            "from a backup, or move it away to begin with an empty database."
        )
    if major != str(binaries.major):
        raise WrongMajorVersion(
            f"the database in {cluster} was made by PostgreSQL {major}, and this Stepahead runs "
            f"PostgreSQL {binaries.major}. Nothing was changed. Move it with `stepahead "
            "upgrade-database --programs DIR`, where DIR holds the programs of PostgreSQL "
            f"{major}; or go back to the release that ran it."
        )


def create_cluster(site: Site, binaries: Binaries) -> None:
    """Create the cluster with its role and database; it gets its name only when it is complete.

    If this is killed half-way, it leaves a directory with another name, which the next start
    removes.

    Raises:
        DiskFull, DataDirectoryForbidden, StartFailed: according to PostgreSQL's output.
        EmbeddedPostgresError: the user has no name, or a file cannot be written.
    """
    if site.account.name is None:
        raise EmbeddedPostgresError(
            f"PostgreSQL needs its user to have a name, and {site.account} has none in the passwd "
            "file (as in a container started with `-u NUMBER`). Add one, start as a user that has "
            "a name, or set STEPAHEAD_DATABASE_URL."
        )
    remove_partial(site.home)
    partial = site.home / f"{PARTIAL_PREFIX}{secrets.token_hex(4)}"
    try:
        with explained("make the database", site.home):
            _initialise(partial, binaries, site.account)
            configure(partial, site.account)
            _create_database(partial, binaries, site.account)
            partial.rename(site.cluster)
            sync_directory(site.home)
    except BaseException:
        remove_partial(site.home)
        raise


def remove_partial(home: Path) -> None:
    """Remove what an interrupted `create_cluster` left."""
    with explained("remove an unfinished database", home):
        for path in home.glob(f"{PARTIAL_PREFIX}*"):
            shutil.rmtree(path, ignore_errors=True)  # files in use stay until the next start


def _initialise(cluster: Path, binaries: Binaries, account: Account) -> None:
    command = [binaries.program("initdb"), "-D", str(cluster), "-U", SUPERUSER]
    command += ["--data-checksums", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    command += ["--auth-local=peer", "--auth-host=reject"]
    if binaries.major >= 17:  # PostgreSQL 17 introduced the builtin provider
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = run_as(account, command, action="make the database")
    if done.returncode != 0:
        raise failure("make the database", cluster.parent, done.stdout)


def _create_database(cluster: Path, binaries: Binaries, account: Account) -> None:
    command = [binaries.program("postgres"), "--single", "-D", str(cluster)]
    command += ["-c", "exit_on_error=on", "-c", "logging_collector=off", "postgres"]
    statements = "".join(f"{statement}\n" for statement in FIRST_STATEMENTS)
    done = run_as(account, command, action="make the database", given=statements)
    if done.returncode != 0:
        raise failure("make the database", cluster.parent, done.stdout)


def configure(cluster: Path, account: Account) -> None:
    """Append Stepahead's settings to a new cluster's configuration.

    Raises:
        OSError: as the system says.
    """
    path = cluster / "postgresql.conf"
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    write_file(path, text + SETTINGS, mode=0o600, owner=account)
    write_access_rules(cluster, account)


def write_access_rules(cluster: Path, account: Account) -> None:
    """Admit root and the user that runs PostgreSQL, identified by the kernel (peer authentication).

    Written at every start, because a user's name may have changed. In addition, the socket's
    directory has mode 700.

    Raises:
        OSError: as reported by the system.
    """
    names = {entry.name for entry in (account_of(0), account) if entry.name is not None}
    rules = f"local all all peer map={PEER_MAP}\n"
    pairs = [(name, role) for name in sorted(names) for role in (ROLE, SUPERUSER)]
    lines = [f"{PEER_MAP} {_quoted(name)} {role}\n" for name, role in pairs]
    for name, text in (("pg_hba.conf", rules), ("pg_ident.conf", "".join(lines))):
        path = cluster / name
        if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
            write_file(path, text, mode=0o600, owner=account)


def _quoted(name: str) -> str:
    return '"' + os.fsencode(name).decode(errors="replace").replace('"', '""') + '"'
