"""Decide which operating-system user PostgreSQL runs as, and what that user can reach."""

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import structlog

from app.storage.embedded.errors import AccountMissing, EmbeddedPostgresError

SERVICE_USER = "stepahead"
# Exists in every passwd file. Used only where no user can be created, that is, in a minimal
# container, where nothing else runs as nobody. `postgres` would be wrong: on a machine with its own
# PostgreSQL, each of the two superusers could read and overwrite the other's files.
FALLBACK_USER = "nobody"
ADMIN_DIRECTORIES = "/usr/sbin:/sbin:/usr/bin:/bin"  # missing from root's PATH after a plain `su`
USERADD_TRIES = 20

logger = structlog.get_logger(__name__)


class Identity(TypedDict, total=False):
    """Arguments for subprocess.Popen that make a child run as an account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, kw_only=True)
class Account:
    """An operating-system user."""

    uid: int
    gid: int
    name: str | None  # None: not in the passwd file, as in a container started with `-u 1234`

    def identity(self) -> Identity:
        """Return how a child process becomes this user; empty if this process already is."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_pass(self, directory: Path) -> bool:
        """Return whether this user may pass through `directory` and each directory above it.

        Only mode bits are checked, not access control lists that deny more.
        """
        return all(self._may_search(path) for path in (directory, *directory.parents))

    def _may_search(self, directory: Path) -> bool:
        status = directory.stat()
        if self.uid == status.st_uid:
            return bool(status.st_mode & 0o100)
        if self.gid == status.st_gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)

    def __str__(self) -> str:
        return f"user {self.name!r}" if self.name else f"user id {self.uid}"


def account_of(uid: int) -> Account:
    """Return the user with this id, with or without a name."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid=uid, gid=os.getegid() if uid == os.geteuid() else uid, name=None)
    gid = os.getegid() if uid == os.geteuid() else entry.pw_gid
    return Account(uid=uid, gid=gid, name=entry.pw_name)


def current_account() -> Account:
    """Return the user that this process runs as."""
    return account_of(os.geteuid())


def service_account(name: str = SERVICE_USER, *, tools: str | None = None) -> Account:
    """Return the system user that PostgreSQL runs as if root starts it; create it if necessary.

    Args:
        name: of the user.
        tools: where to look for useradd and adduser, in the form of PATH; None: the usual places.

    Raises:
        AccountMissing: it does not exist, cannot be created, and there is no `nobody` either.
    """
    found = _named(name) or _made(name, tools or _search_path())
    if found is not None:
        return found
    fallback = _named(FALLBACK_USER)
    if fallback is None:
        raise AccountMissing(
            f"PostgreSQL refuses to run as root, and the system user {name!r} does not exist "
            f"and cannot be created (no working useradd or adduser, no user {FALLBACK_USER!r}). "
            f"Create it (`useradd --system {name}`), start Stepahead as an ordinary user, or set "
            "STEPAHEAD_DATABASE_URL to a PostgreSQL of your own."
        )
    logger.warning("system user cannot be made", user=name, using=FALLBACK_USER)
    return fallback


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        raise AccountMissing(
            f"the user {name!r} is root under another name, and PostgreSQL refuses to run as root. "
            "Give that user an id of its own, or start Stepahead as an ordinary user."
        )
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=name)


def _made(name: str, tools: str) -> Account | None:
    """Return the new user, or None if there is no tool or the tool failed."""
    home = f"/var/lib/{SERVICE_USER}"
    useradd, adduser = shutil.which("useradd", path=tools), shutil.which("adduser", path=tools)
    if useradd is not None:
        shell = shutil.which("nologin", path=tools) or "/bin/false"
        command = [useradd, "--system", "--user-group", "--no-create-home"]
        command += ["--home-dir", home, "--shell", shell, name]
    elif adduser is not None:  # BusyBox; systems with Debian's adduser also have useradd
        command = [adduser, "-S", "-D", "-H", "-h", home, "-s", "/bin/false", name]
    else:
        return None
    for _ in range(USERADD_TRIES):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        account = _named(name)  # it may have been created by another start at the same time
        if account is not None:
            logger.info("made a system user", user=name, uid=account.uid)
            return account
        said = done.stderr.decode(errors="replace").strip()
        if "lock" not in said:  # otherwise another useradd has locked the passwd file
            break
        time.sleep(0.1)
    logger.warning("could not make the system user", user=name, reason=said)
    return None


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:{ADMIN_DIRECTORIES}"


def run_as(
    account: Account, command: list[str], *, action: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a PostgreSQL program as `account` in a minimal environment, and wait for it.

    It runs in its own session, so that Ctrl-C reaches only this process, which then ends the child.

    Args:
        account: the user.
        command: the program and its arguments.
        action: what is being done, for the message.
        given: standard input for the program.

    Raises:
        EmbeddedPostgresError: this process may not become that user.
        OSError: the program cannot be started.
    """
    try:
        return subprocess.run(
            command,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=PLAIN_ENVIRONMENT,
            start_new_session=True,
            umask=0o077,
            **account.identity(),
        )
    except OSError as error:
        if error.filename == command[0]:  # otherwise changing the user has failed
            raise
        raise EmbeddedPostgresError(
            f"cannot {action} as {account}, since PostgreSQL refuses to run as root and this "
            f"process may not become another user: {error.strerror}. Start Stepahead as an "
            "ordinary user, or set STEPAHEAD_DATABASE_URL to a PostgreSQL of your own."
        ) from error


# Nothing from our environment: PG* variables and LD_LIBRARY_PATH must not reach a server.
PLAIN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
