"""HTTP to a service: the key, retries, and problems as exceptions."""

import os
import time
from collections.abc import Mapping
from typing import IO, Any

import httpx

from stepahead.errors import NotReachable, Refused

Json = dict[str, Any]

# An upload is answered once the service has read the file.
TIMEOUT = httpx.Timeout(600.0, connect=5.0)
BUSY = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
RETRIES = 5
LONGEST_WAIT_SECONDS = 60.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Connection:
    """A connection to the service at an address.

    Args:
        url: address of the service.
        key: sent as a bearer token; by default STEPAHEAD_API_KEY of the environment.
        transport: for tests.
    """

    def __init__(
        self, url: str, *, key: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        key = (key or os.environ.get("STEPAHEAD_API_KEY", "")).strip()
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=TIMEOUT,
            transport=transport,
            # Proxy settings of the environment do not apply to a service on this machine.
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def get(self, path: str, **parameters: str | int) -> Json:
        """Send GET and decode the answer.

        Raises:
            Refused: the service answered with a problem.
            NotReachable: nothing answers.
        """
        return self._decoded("GET", path, params=parameters)

    def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """Send POST with a JSON body and decode the answer; it raises as `get` does."""
        return self._decoded("POST", path, json=body)

    def post_file(
        self, path: str, fields: Mapping[str, str], name: str, content: IO[bytes]
    ) -> Json:
        """Send POST with a form and a file, and decode the answer; it raises as `get` does."""
        return self._decoded("POST", path, data=fields, files={"file": (name, content)})

    def _decoded(self, method: str, path: str, **parts: Any) -> Json:  # noqa: ANN401
        response = self._sent(method, path, **parts)
        if response.is_error:
            raise _refused(response)
        answer: Json = response.json()
        return answer

    def _sent(self, method: str, path: str, **parts: Any) -> httpx.Response:  # noqa: ANN401
        """Send a request, and repeat it while the service is too busy."""
        retries = 0 if "files" in parts else RETRIES  # the file has been read
        try:
            while True:
                response = self._client.request(method, path, **parts)
                if response.status_code not in BUSY or not retries:
                    return response
                retries -= 1
                time.sleep(wait_seconds(response.headers))
        except httpx.TransportError as error:
            raise NotReachable(f"no service answers at {self.url}: {error}") from error


def wait_seconds(headers: Mapping[str, str]) -> float:
    """Return how long to wait before a request is sent again."""
    given = headers.get("Retry-After", "1")
    return min(LONGEST_WAIT_SECONDS, float(given) if given.isdigit() else 1.0)


def _refused(response: httpx.Response) -> Refused:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "title" not in problem:
        problem = {
            "title": "Not a Stepahead answer",
            "detail": f"{response.request.url} answers, but not as Stepahead does",
        }
    request_id = response.headers.get("X-Request-Id")
    return Refused(response.status_code, problem, request_id=request_id)
