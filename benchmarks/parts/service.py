"""Run an api for a benchmark: start it, pin it to cores, watch it and end it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

START_SECONDS = 120.0
END_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.005
NOTHING_SET: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Api:
    """A running `stepahead api`."""

    port: int
    pid: int
    start_seconds: float  # from the start of the process to its first answer

    @property
    def url(self) -> str:
        """The URL of the api."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        """Return a client for it."""
        return httpx.Client(base_url=self.url, timeout=600, trust_env=False)

    def memory_bytes(self) -> int:
        """Return the resident memory of all its processes except the reader of uploads."""
        return sum(
            resident_bytes(pid) for pid in family(self.pid) if "reader" not in command_of(pid)
        )

    def cpu_seconds(self) -> float:
        """Return the processor time that its processes have used."""
        return family_cpu_seconds(self.pid)


@contextmanager
def running_api(
    database_url: str,
    data_dir: Path,
    *,
    cores: frozenset[int] | None = None,
    environment: Mapping[str, str] = NOTHING_SET,
) -> Iterator[Api]:
    """Yield an api on a migrated database.

    Args:
        database_url: of log and registry.
        data_dir: that contains the store.
        cores: that its processes may use; None: all.
        environment: further settings.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if "STEPAHEAD" not in name}
    settings = {
        "STEPAHEAD_DATABASE_URL": database_url,
        "STEPAHEAD_DATA_DIR": str(data_dir),
        "STEPAHEAD_PORT": str(port),
        "STEPAHEAD_LOG_LEVEL": "error",
    }
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "api"],
            env={**clean, **settings, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        if cores is not None:
            os.sched_setaffinity(process.pid, cores)
        try:
            wait_until_ready(port, process)
            yield Api(port=port, pid=process.pid, start_seconds=time.perf_counter() - started)
        except BaseException:
            output.seek(0)
            print(output.read().decode(errors="replace")[-2000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return once it is ready to answer.

    Raises:
        RuntimeError: it ended, or is not ready in time.
    """
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get("/readyz").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(LOOK_EVERY_SECONDS)
    raise RuntimeError("the api does not become ready")


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(task).split():
            found += family(int(child))
    return found


def family_cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and its descendants have used."""
    return sum(cpu_seconds(each) for each in family(pid))


def command_of(pid: int) -> str:
    """Return its command line."""
    return _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ")


def resident_bytes(pid: int) -> int:
    """Return its current resident memory."""
    return 1024 * int(_read(Path(f"/proc/{pid}/status")).partition("VmRSS:")[2].split()[0])


def cpu_seconds(pid: int) -> float:
    """Return the processor time that it has used."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
