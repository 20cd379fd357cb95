import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import structlog

from app.storage.embedded.account import PLAIN_ENVIRONMENT
from app.storage.embedded.binaries import Binaries
from app.storage.embedded.cluster import DATABASE, ROLE
from app.storage.embedded.errors import EmbeddedPostgresError, StartFailed, explained, failure
from app.storage.embedded.leftovers import cluster_name, end_leftovers
from app.storage.embedded.site import Site
from app.storage.embedded.socket_directory import PORT

POLL_SECONDS = 0.01
LOOK_SECONDS = 10.0  # how often a long recovery is reported
# recovery replays little more than max_wal_size; a slow disk may need this long
READY_SECONDS = 600.0
STOP_SECONDS = 60.0  # including the last checkpoint
QUIT_SECONDS = 10.0
LOG_BYTES = 1 << 16  # of a failed start's log; it never writes more

logger = structlog.get_logger(__name__)


class Postmaster:
    """A running PostgreSQL server, a child of this process in its own session.

    Ctrl-C in a terminal reaches the whole foreground group. In its own session, PostgreSQL is only
    stopped by `stop`, after its users.

    Args:
        site: where its cluster is, and who runs it.
        binaries: programs that the site's user can run.
        socket_directory: where to create the socket.
    """

    def __init__(self, *, site: Site, binaries: Binaries, socket_directory: Path) -> None:
        self._site = site
        self._binaries = binaries
        self._socket_directory = socket_directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process is not None and self.alive() else None

    def alive(self) -> bool:
        """Whether the postmaster is running; reaps it if it has ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers, including recovery.

        Raises:
            DiskFull, DataDirectoryForbidden, StartFailed: according to PostgreSQL's output.
        """
        log_sizes = _log_sizes(self._site.home)
        # Its output before its log collector runs. It is kept in memory, so that a full disk cannot
        # hide it.
        said = os.memfd_create("postgres-start", os.MFD_CLOEXEC)
        try:
            with explained("start PostgreSQL", self._site.cluster):
                self._process = subprocess.Popen(
                    self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    cwd="/",
                    env=PLAIN_ENVIRONMENT,
                    start_new_session=True,
                    umask=0o077,
                    **self._site.account.identity(),
                )
            self._wait_until_ready(said, log_sizes)
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(said)

    def stop(self) -> None:
        """Shut down: fast (clients are disconnected, a checkpoint is made), then by force."""
        process = self._process
        if process is None:
            return
        for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, QUIT_SECONDS)):
            process.send_signal(number)  # has no effect if it has already ended
            try:
                process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                logger.warning("PostgreSQL does not stop", pid=process.pid, signal=number.name)
        else:
            process.kill()
            process.wait()
            end_leftovers(self._site.cluster)
        self._process = None

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self._socket_directory),
            "unix_socket_permissions": "0700",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "cluster_name": cluster_name(self._site.cluster),
        }
        command = [self._binaries.program("postgres"), "-D", str(self._site.cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return command

    def _wait_until_ready(self, said: int, log_sizes: dict[Path, int]) -> None:
        deadline, look = time.monotonic() + READY_SECONDS, time.monotonic() + LOOK_SECONDS
        while not self._reports_ready():
            if not self.alive():
                output = _content(said) + _logged_since(log_sizes, self._site.home)
                raise failure("start PostgreSQL", self._site.cluster, output)
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"PostgreSQL in {self._site.cluster} was not ready after {READY_SECONDS:.0f} "
                    f"seconds. Its log in {self._site.home / 'log'} says why."
                )
            if time.monotonic() > look:
                logger.info("PostgreSQL is still starting", cluster=str(self._site.cluster))
                look += LOOK_SECONDS
            time.sleep(POLL_SECONDS)
        self._connect_once()

    def _reports_ready(self) -> bool:
        """Return whether the server is ready: line 8 of postmaster.pid, if line 1 is our server."""
        try:
            text = (self._site.cluster / "postmaster.pid").read_text(errors="replace")
        except FileNotFoundError:
            return False
        lines = text.split("\n")
        ours = self._process is not None and lines[0] == str(self._process.pid)
        return ours and len(lines) > 7 and lines[7].strip() == "ready"

    def _connect_once(self) -> None:
        try:
            psycopg.connect(
                host=str(self._socket_directory),
                port=PORT,
                user=ROLE,
                dbname=DATABASE,
                connect_timeout=10,
            ).close()
        except psycopg.OperationalError as error:
            raise EmbeddedPostgresError(
                f"PostgreSQL runs in {self._site.cluster} but refuses this user: {error}"
            ) from error


def _content(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode(errors="replace")


def _log_sizes(home: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in (home / "log").glob("*.log")}


def _logged_since(sizes: dict[Path, int], home: Path) -> str:
    """Return what was added to the server's log, including a file begun for a new weekday."""
    added = b""
    for path, size in _log_sizes(home).items():
        before = sizes.get(path, 0)
        with path.open("rb") as file:
            file.seek(before if before <= size else 0)
            added += file.read(LOG_BYTES)
    return added.decode(errors="replace")
