"""HTTP to a service: the key, retries, and problems as exceptions."""

import csv
import io
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Any, Self

import httpx

from stepahead.errors import NotReachable, Refused

Json = dict[str, Any]

# An upload is answered once the service has read the file.
TIMEOUT = httpx.Timeout(600.0, connect=5.0)
BUSY = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
RETRIES = 5
LONGEST_WAIT_SECONDS = 60.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# The service puts an apostrophe before text that a spreadsheet would run as a formula.
QUOTED_FORMULA = re.compile(r"^'([=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


class Connection:
    """A connection to the service at an address.

    Args:
        url: address of the service.
        key: sent as a bearer token; by default STEPAHEAD_API_KEY of the environment.
        transport: for tests.
        retries: how often a request is sent again that the service is too busy for.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        transport: httpx.BaseTransport | None = None,
        retries: int = RETRIES,
    ) -> None:
        key = (key or os.environ.get("STEPAHEAD_API_KEY", "")).strip()  # the service strips it too
        self.url = url.rstrip("/")
        self.has_key = bool(key)
        self._retries = retries
        self._client = httpx.Client(
            base_url=self.url,
            headers={b"Authorization": f"Bearer {key}".encode()} if key else {},
            timeout=TIMEOUT,
            transport=transport,
            # The environment's proxies are not for a service on this machine.
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def get(self, path: str, **parameters: str | int) -> Json:
        """Send GET and decode the answer.

        Raises:
            Refused: the service answered with a problem.
            NotReachable: nothing answers.
        """
        return self._answer("GET", path, params=parameters)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Send POST with a JSON body and decode the answer; it raises as `get` does."""
        return self._answer("POST", path, json=body)

    def post_for_table(
        self, path: str, body: Mapping[str, Any]
    ) -> tuple[list[dict[str, str]], Mapping[str, str]]:
        """Send POST for a CSV; return its rows and the headers. It raises as `get` does."""
        with self.plain_errors():
            response = self._sent("POST", path, json=body, headers={"Accept": "text/csv"})
        if response.is_error or not response.headers["Content-Type"].startswith("text/csv"):
            raise self.refused(response)
        rows = csv.DictReader(io.StringIO(response.text, newline=""))
        return [
            {name: QUOTED_FORMULA.sub(r"\1", cell) for name, cell in row.items()} for row in rows
        ], response.headers

    def delete(self, path: str) -> Json:
        """Send DELETE and decode the answer; it raises as `get` does."""
        return self._answer("DELETE", path)

    def post_form(
        self, path: str, fields: Mapping[str, str], files: Mapping[str, tuple[str, IO[bytes]]]
    ) -> Json:
        """Send POST with a form and files, streamed, and decode the answer; it raises as `get`."""
        parts: dict[str, Any] = {name: (None, value) for name, value in fields.items()}
        return self._answer("POST", path, files={**parts, **files})

    def _answer(self, method: str, path: str, **parts: Any) -> Json:  # noqa: ANN401
        """Send a request and decode the answer; one without a body is an empty object."""
        with self.plain_errors():
            response = self._sent(method, path, **parts)
        if response.is_error:
            raise self.refused(response)
        if response.status_code == httpx.codes.NO_CONTENT:
            return {}
        try:
            answer: Json = response.json()
        except ValueError:
            raise self.refused(response) from None
        return answer

    def _sent(self, method: str, path: str, **parts: Any) -> httpx.Response:  # noqa: ANN401
        """Send a request; one that the service is too busy for is sent again."""
        retries = 0 if "files" in parts else self._retries  # a file cannot be read twice
        while True:
            response = self._client.request(method, path, **parts)
            if response.status_code not in BUSY or not retries:
                return response
            retries -= 1
            time.sleep(wait_seconds(response.headers))

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Map connection failures to errors in plain words."""
        try:
            yield
        except httpx.TransportError as error:
            raise self.not_reachable(error) from error

    def not_reachable(self, error: httpx.TransportError) -> Exception:
        """Return the error for a connection that failed."""
        return NotReachable(f"no service answers at {self.url}: {error}")

    def refused(self, response: httpx.Response) -> Exception:
        """Return the error for an answer that is a problem, or not the service's."""
        problem = problem_in(response)
        request_id = response.headers.get("X-Request-Id")
        if problem is None:
            problem = {
                "title": "Not a Stepahead answer",
                "detail": f"{response.request.url} answers, but not as Stepahead does",
            }
        return Refused(response.status_code, problem, request_id=request_id)


def wait_seconds(headers: Mapping[str, str]) -> float:
    """Return how long to wait before a request is sent again."""
    given = headers.get("Retry-After", "1")
    return min(LONGEST_WAIT_SECONDS, float(given) if given.isdigit() else 1.0)


def problem_in(response: httpx.Response) -> Json | None:
    """Return the problem of an answer; None: it has none, and is not the service's."""
    try:
        problem = response.json()
    except ValueError:
        return None
    return problem if isinstance(problem, dict) and "title" in problem else None
