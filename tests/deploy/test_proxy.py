"""The Caddyfile of `docker compose`, as Caddy itself takes it."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from app.config import PROJECT_DIR
from tests.service import PATIENCE_SECONDS, eventually

CADDY = shutil.which("caddy")
pytestmark = pytest.mark.skipif(CADDY is None, reason="Caddy is not installed")

CADDYFILE = (PROJECT_DIR / "docker" / "Caddyfile").read_text(encoding="utf-8")
LOCAL = {"Host": "localhost"}


class Api(ThreadingHTTPServer):
    """Says that it is ready, and answers anything else once it is let go."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.may_answer = threading.Event()
        self.asked = threading.Semaphore(0)


class Handler(BaseHTTPRequestHandler):
    """Answers of that api."""

    server: Api
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.path.startswith("/readyz"):
            self.server.asked.release()
            self.server.may_answer.wait(PATIENCE_SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base says
        """Print nothing."""


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.may_answer.set()
        server.shutdown()
        thread.join()


@contextmanager
def proxied(api: Api, folder: Path, port: str, *, key: str = "") -> Iterator[httpx.Client]:
    """Caddy before two names of this api, with seconds for what takes half a minute."""
    assert CADDY is not None
    upstream = f"127.0.0.1:{api.server_port} localhost:{api.server_port}"
    text = CADDYFILE.replace("api-1:8000 api-2:8000", upstream).replace(":8000 {", f":{port} {{")
    assert text.count("response_header_timeout 30s") == 1
    (folder / "Caddyfile").write_text(text.replace("_timeout 30s", "_timeout 1s"))
    command = [CADDY, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    environment = {"STEPAHEAD_API_KEY": key, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, env=environment)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS, headers=LOCAL
        ) as client:
            eventually(lambda: is_ready(client))
            yield client
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(("method", "path"), [("POST", "/predict"), ("GET", "/models")])
def test_an_api_that_falls_silent_is_not_waited_for(
    api: Api, tmp_path: Path, free_port: str, method: str, path: str
) -> None:
    with proxied(api, tmp_path, free_port) as client:
        answer = client.request(method, path)
        assert not api.may_answer.is_set()
        assert answer.status_code == 504


def test_an_upload_may_take_its_time(api: Api, tmp_path: Path, free_port: str) -> None:
    with proxied(api, tmp_path, free_port) as client:
        cut: list[int] = []

        def upload() -> None:
            cut.append(client.post("/datasets", content=b"{}").status_code)

        uploading = threading.Thread(target=upload)
        uploading.start()
        assert api.asked.acquire(timeout=PATIENCE_SECONDS)
        # A request that came later is given up by now.
        assert client.get("/models").status_code == 504
        assert not cut
        api.may_answer.set()
        uploading.join()
        assert cut == [200]


@pytest.mark.parametrize(("key", "status"), [("", 403), ("k", 200)])
def test_without_a_key_other_names_than_localhost_are_refused(
    api: Api, tmp_path: Path, free_port: str, key: str, status: int
) -> None:
    api.may_answer.set()
    with proxied(api, tmp_path, free_port, key=key) as client:
        for method in ("GET", "POST"):
            answer = client.request(method, "/models", headers={"Host": "rebound.example"})
            assert answer.status_code == status
