"""Answer probes in a process without an api: a few paths over plain HTTP, from a thread."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ANSWER_SECONDS = 10.0  # how long a caller may take to send its request


@dataclass(frozen=True, kw_only=True)
class ProbeAnswer:
    """One answer."""

    status: HTTPStatus
    media_type: str
    body: bytes


def health_answer(status: str, reasons: list[str]) -> ProbeAnswer:
    """Answer 200 with a status, or 503 with all reasons, in the same form as the api."""
    if not reasons:
        body = json.dumps({"status": status}).encode()
        return ProbeAnswer(status=HTTPStatus.OK, media_type="application/json", body=body)
    problem: dict[str, Any] = {
        "type": "/problems/unavailable",
        "title": "Unavailable",
        "status": 503,
        "detail": f"not {status}: " + "; ".join(reasons),
        "errors": [{"message": reason} for reason in reasons],
    }
    return ProbeAnswer(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        media_type="application/problem+json",
        body=json.dumps(problem).encode(),
    )


def figures_answer(figures: bytes) -> ProbeAnswer:
    """Answer with metrics for Prometheus."""
    media_type = "text/plain; version=0.0.4; charset=utf-8"
    return ProbeAnswer(status=HTTPStatus.OK, media_type=media_type, body=figures)


class Probe:
    """An HTTP server for GET requests on a listening socket, while it is entered.

    Args:
        listener: is closed at the end.
        routes: functions that answer, by path.
    """

    def __init__(
        self, listener: socket.socket, routes: Mapping[str, Callable[[], ProbeAnswer]]
    ) -> None:
        class Handler(_Handler):
            answers = routes

        self._server = ThreadingHTTPServer(
            listener.getsockname()[:2], Handler, bind_and_activate=False
        )
        self._server.socket.close()
        self._server.socket = listener
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="probe", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    answers: Mapping[str, Callable[[], ProbeAnswer]]
    timeout = ANSWER_SECONDS
    protocol_version = "HTTP/1.1"
    server_version = "stepahead"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer according to the path."""
        answer = self.answers.get(self.path.partition("?")[0])
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        given = answer()
        self.send_response(given.status)
        self.send_header("Content-Type", given.media_type)
        self.send_header("Content-Length", str(len(given.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(given.body)

    do_HEAD = do_GET  # noqa: N815 (named by http.server)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: probes arrive about every second."""
