from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL

from app.storage.embedded.account import current_account
from app.storage.embedded.binaries import Binaries, find_binaries, reachable_copy
from app.storage.embedded.cluster import (
    DATABASE,
    ROLE,
    check_major,
    create_cluster,
    remove_partial,
    write_access_rules,
)
from app.storage.embedded.durable import make_directory
from app.storage.embedded.errors import BinariesMissing, EmbeddedPostgresError, explained
from app.storage.embedded.format import check_format, write_format
from app.storage.embedded.leftovers import end_leftovers, forget_foreign_pid
from app.storage.embedded.lock import DirectoryLock
from app.storage.embedded.postmaster import Postmaster
from app.storage.embedded.site import (
    Site,
    choose_site,
    claim_home,
    find_site,
    open_slot,
    set_aside,
    slot_of,
    write_record,
)
from app.storage.embedded.socket_directory import (
    PORT,
    close_socket_directory,
    open_socket_directory,
)

SLOTS = Path("/var/lib/stepahead")


class EmbeddedPostgres:
    """The PostgreSQL that `stepahead serve` includes, in its own data directory.

    The first `start` creates a cluster with an empty database; later ones use it again. Only one
    service can run at a time: the first start takes the data directory's lock and `stop` releases
    it. In between, `start` may be called again whenever the server has died.

    Args:
        data_dir: the data directory; created if it is missing.
        bin_dir: a folder with PostgreSQL's programs (15 or later) instead of the packaged ones.
        address: where this service will answer, "host:port", for the message to a second service.
        slots: where to put a cluster that its user could not reach in the data directory.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        bin_dir: Path | None = None,
        address: str | None = None,
        slots: Path = SLOTS,
    ) -> None:
        self._data_dir = data_dir.expanduser().absolute()
        self._bin_dir = bin_dir
        self._address = address
        self._slots = slots.resolve()
        self._locks: list[DirectoryLock] = []
        self._site: Site | None = None
        self._postmaster: Postmaster | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """The database's URL for SQLAlchemy; the same after a restart.

        Raises:
            EmbeddedPostgresError: it was not started.
        """
        if self._url is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not started: call start()")
        return self._url

    @property
    def home(self) -> Path | None:
        """The folder with the database and its log, or None before the start."""
        return self._site.home if self._site is not None else None

    @property
    def pid(self) -> int | None:
        """The server's process id, or None while it is not running."""
        return self._postmaster.pid if self._postmaster is not None else None

    def alive(self) -> bool:
        """Whether the server process is running."""
        return self._postmaster is not None and self._postmaster.alive()

    def start(self) -> str:
        """Start the server and return its URL; do nothing if it is already running.

        Raises:
            EmbeddedPostgresError: it cannot start; the message says what, where and what to do.
        """
        if self.alive():
            return self.url
        first = not self._locks
        try:
            self._start()
        except BaseException:
            if first:
                self._release()
            raise
        return self.url

    def stop_and_set_aside(self) -> Path:
        """Stop the server, rename its cluster and return the new path.

        Raises:
            EmbeddedPostgresError: it was not started, or its cluster cannot be moved.
        """
        if self._postmaster is None or self._site is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not started: call start()")
        self._postmaster.stop()
        kept = set_aside(_resolved(self._data_dir), self._site)
        self.stop()
        return kept

    def stop(self) -> None:
        """Stop the server, wait until it has ended, and release the data directory."""
        try:
            if self._postmaster is not None:
                self._postmaster.stop()
                self._postmaster = None
            if self._site is not None:
                close_socket_directory(self._site)
                self._site = None
        finally:
            self._release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self) -> None:
        """Start in steps that can be repeated, so that a start after a kill continues."""
        data_dir = _resolved(self._data_dir)
        found = find_binaries(self._bin_dir, current_account())
        _look_before_touching(data_dir, found)
        _make_data_dir(data_dir)
        self._lock(data_dir)
        existing = _look_before_touching(data_dir, found)
        site = existing or choose_site(data_dir, self._slots)
        if not check_format(data_dir):
            write_format(data_dir)
        if site.relocated:
            self._lock(site.home)
            if existing is None:
                claim_home(data_dir, site)
        binaries = self._reachable(found, site, data_dir)
        if not site.cluster.exists():
            create_cluster(site, binaries)
        if site.relocated:
            write_record(data_dir, site.home, complete=True)
        self._run(site, binaries)
        self._site = site

    def _run(self, site: Site, binaries: Binaries) -> None:
        end_leftovers(site.cluster)
        remove_partial(site.home)
        with explained("prepare the database", site.cluster):
            forget_foreign_pid(site.cluster)
            write_access_rules(site.cluster, site.account)
        directory = open_socket_directory(site)
        postmaster = Postmaster(site=site, binaries=binaries, socket_directory=directory)
        postmaster.start()
        self._postmaster = postmaster
        self._url = database_url(directory)

    def _reachable(self, found: Binaries, site: Site, data_dir: Path) -> Binaries:
        """Return `found`, or a copy of it where the site's user can run it."""
        root = current_account().uid == 0
        slot = slot_of(data_dir, self._slots, site)
        if root and site.relocated:
            open_slot(slot, data_dir, site.account)
        if found.usable_by(site.account):
            return found
        if not root:
            raise BinariesMissing(
                f"the PostgreSQL programs in {found.bin_dir} do not all run for {site.account}. "
                "Reinstall the package, or set STEPAHEAD_DATABASE_URL to one of your own."
            )
        open_slot(slot, data_dir, site.account)
        return reachable_copy(found, site.account, slot)

    def _lock(self, directory: Path) -> None:
        if any(lock.directory == directory for lock in self._locks):
            return
        lock = DirectoryLock(directory, address=self._address)
        lock.acquire()
        self._locks.append(lock)

    def _release(self) -> None:
        while self._locks:
            self._locks.pop().release()


def database_url(socket_directory: Path) -> str:
    """Return the URL, for SQLAlchemy, of the database behind a socket directory."""
    return URL.create(
        "postgresql+psycopg",
        username=ROLE,
        database=DATABASE,
        query={"host": str(socket_directory), "port": str(PORT)},
    ).render_as_string(hide_password=False)


def _look_before_touching(data_dir: Path, binaries: Binaries) -> Site | None:
    """Inspect the directory without changing it; refuse what this Stepahead cannot use."""
    check_format(data_dir)
    site = find_site(data_dir)
    if site is not None:
        check_major(site.cluster, binaries)
    return site


def _resolved(data_dir: Path) -> Path:
    with explained("find the data directory", data_dir):
        try:
            return data_dir.resolve()
        except RuntimeError as error:  # Python 3.11 and 3.12, for a loop of links
            raise EmbeddedPostgresError(f"{data_dir} is a loop of links") from error


def _make_data_dir(data_dir: Path) -> None:
    """Create a private directory; PostgreSQL's user may pass if it is not our user."""
    with explained("make the data directory", data_dir):
        if not data_dir.is_dir():
            data_dir.parent.mkdir(parents=True, exist_ok=True)
            make_directory(data_dir, mode=0o711 if current_account().uid == 0 else 0o700)
