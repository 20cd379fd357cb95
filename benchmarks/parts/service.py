"""A running api for a benchmark: started, pinned to cores, watched and ended."""

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
    """`stepahead api`, answering."""

    port: int
    pid: int
    start_seconds: float  # from its start to its first answer

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        """Something to ask it with."""
        return httpx.Client(base_url=self.url, timeout=600, trust_env=False)

    def memory_bytes(self) -> int:
        """Resident memory of all its processes but the reader of uploads."""
        return sum(
            resident_bytes(pid) for pid in family(self.pid) if "reader" not in command_of(pid)
        )

    def cpu_seconds(self) -> float:
        """Processor time that its processes have used."""
        return family_cpu_seconds(self.pid)


@contextmanager
def running_api(
    database_url: str,
    data_dir: Path,
    *,
    cores: frozenset[int] | None = None,
    environment: Mapping[str, str] = NOTHING_SET,
) -> Iterator[Api]:
    """An api on a migrated database, until the block ends.

    Args:
        database_url: where its log and registry are.
        data_dir: holds the store.
        cores: what its processes may run on; None: all.
        environment: more settings.
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
    """A process and those below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(task).split():
            found += family(int(child))
    return found


def family_cpu_seconds(pid: int) -> float:
    """Processor time that a process and those below it have used."""
    return sum(cpu_seconds(each) for each in family(pid))


def command_of(pid: int) -> str:
    """Its command line."""
    return _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ")


def resident_bytes(pid: int) -> int:
    """Memory that it holds now."""
    return 1024 * int(_read(Path(f"/proc/{pid}/status")).partition("VmRSS:")[2].split()[0])


def cpu_seconds(pid: int) -> float:
    """Processor time that it has used."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
