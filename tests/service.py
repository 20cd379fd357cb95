"""Run the real app on a real server on a free loopback port, in a thread of the test."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy.orm import Session, sessionmaker

from app.api_process import server_config
from app.config import Settings
from app.main import create_app
from app.registry.store import register
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from app.storage.tables import Version
from tests.artifacts import Artifact
from tests.local_http import share_certificates

PATIENCE_SECONDS = 60.0
share_certificates()


class Service:
    """A running api, its database and its store."""

    def __init__(self, app: FastAPI, settings: Settings, database_url: str, url: str) -> None:
        self.app = app
        self.settings = settings
        self.database_url = database_url
        self.url = url
        self.engine = make_engine(database_url, pool_size=2)
        self.sessions: sessionmaker[Session] = sessionmaker(self.engine, expire_on_commit=False)
        self.store = ObjectStore.open(settings.resolved_store_url)
        self.client = httpx.Client(base_url=url, timeout=PATIENCE_SECONDS)

    def register(self, model: str, artifact: Artifact) -> Version:
        """Register a version as training would."""
        return register_artifact(self.sessions, self.store, model, artifact)

    def predict(self, **body: object) -> httpx.Response:
        """Call `POST /predict`."""
        return self.client.post("/predict", json=body)

    def close(self) -> None:
        self.client.close()
        self.engine.dispose()


def register_artifact(
    sessions: sessionmaker[Session], store: ObjectStore, model: str, artifact: Artifact
) -> Version:
    files = {name: store.put_bytes(data) for name, data in artifact.files().items()}
    with sessions.begin() as session:
        return register(
            session,
            model=model,
            kind=artifact.manifest.kind,
            manifest=artifact.manifest,
            scorecard=artifact.scorecard,
            files=files,
            dataset_id=None,
            job_id=None,
        )


@contextmanager
def running_service(database_url: str, data_dir: Path, **settings: object) -> Iterator[Service]:
    """Yield the api while it answers; its reader starts with the first upload."""
    given = {"warm_reader": False, **settings, "data_dir": data_dir}
    chosen = Settings(**given)  # type: ignore[arg-type]
    app = create_app(chosen, database_url=database_url)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(server_config(app, chosen))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    eventually(lambda: server.started or not thread.is_alive())
    assert server.started, "the server did not start; its log is above"
    service = Service(app, chosen, database_url, f"http://127.0.0.1:{port}")
    try:
        yield service
    finally:
        service.close()
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


def eventually(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; on a busy machine this may take a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
