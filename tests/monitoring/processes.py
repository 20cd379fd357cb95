"""Run two api processes and a worker of one service, as if on several machines."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from app.storage.tables import Version
from tests.artifacts import Artifact
from tests.jobs.harness import Harness
from tests.service import register_artifact
from tests.serving import is_ready, wait_until

STOP_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two api processes; what one of them is told, the other must learn."""

    one: httpx.Client
    other: httpx.Client
    harness: Harness
    store: ObjectStore

    def register(self, model: str, artifact: Artifact) -> Version:
        return register_artifact(self.harness.sessions, self.store, model, artifact)

    def serves(self, client: httpx.Client, model: str, version: int) -> bool:
        answer = client.post("/predict", json={"model": model, "history": [1, 2, 3]})
        assert answer.status_code == 200, answer.text
        is_served: bool = answer.json()["version"] == version
        return is_served

    def monitor(self, client: httpx.Client, model: str) -> dict[str, Any]:
        answer = client.get(f"/models/{model}/monitor")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def running_pair(database_url: str, folder: Path) -> Iterator[Pair]:
    """Yield both while they answer."""
    engine = make_engine(database_url)
    harness = Harness(database_url, engine, folder / "worker")
    with ExitStack() as parts:
        parts.callback(engine.dispose)
        parts.callback(harness.close)
        store_url = harness.folder.as_uri() + "/store"
        urls = [
            parts.enter_context(_running_api(database_url, store_url, folder / f"api{number}"))
            for number in (1, 2)
        ]
        harness.start_worker()
        clients = [
            parts.enter_context(httpx.Client(base_url=url, timeout=STOP_SECONDS)) for url in urls
        ]
        yield Pair(
            one=clients[0], other=clients[1], harness=harness, store=ObjectStore.open(store_url)
        )


@contextmanager
def _running_api(database_url: str, store_url: str, folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if "STEPAHEAD" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "api"],
        env={
            **clean,
            "STEPAHEAD_DATABASE_URL": database_url,
            "STEPAHEAD_STORE_URL": store_url,
            "STEPAHEAD_DATA_DIR": str(folder),
            "STEPAHEAD_PORT": str(port),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_ready(url) or process.poll() is not None)
        assert process.poll() is None, "".join(lines)
        yield url
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        reader.join(STOP_SECONDS)


def _read(process: subprocess.Popen[str], lines: list[str]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        lines.extend(output)
