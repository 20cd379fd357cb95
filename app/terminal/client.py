"""HTTP client of a running service, for the commands."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import httpx

from app.config import LOOPBACK_HOSTS
from app.terminal.rendering.problems import CommandError, Refused

# Connecting is fast or fails. An upload is answered once the file has been read.
TIMEOUT = httpx.Timeout(600.0, connect=5.0)
PAGE = 100

Json = dict[str, Any]


class Service:
    """The service at a URL.

    Every method raises `Refused` if the service answers with a problem, and `CommandError` if
    nothing answers.

    Args:
        url: address of the service.
        key: sent as a bearer token; by default STEPAHEAD_API_KEY.
        transport: for tests.
    """

    def __init__(
        self, url: str, *, key: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        key = (key or os.environ.get("STEPAHEAD_API_KEY", "")).strip()  # the service strips it too
        self.has_key = bool(key)
        headers = {b"Authorization": f"Bearer {key}".encode()} if key else {}
        try:
            self._client = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=TIMEOUT,
                transport=transport,
                trust_env=_trusts_environment(self.url),
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise CommandError(f"--url {url!r} is not a URL: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, path: str, **parameters: str | int) -> Json:
        """Send GET and decode the answer."""
        return self._answer(self._client.build_request("GET", path, params=parameters))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Send POST with a JSON body and decode the answer."""
        return self._answer(self._client.build_request("POST", path, json=body))

    def delete(self, path: str) -> Json:
        """Send DELETE and decode the answer; one without a body is an empty object."""
        return self._answer(self._client.build_request("DELETE", path))

    def post_form(
        self, path: str, fields: Mapping[str, str], files: Mapping[str, tuple[str, IO[bytes]]]
    ) -> Json:
        """Send POST with a form and files, streamed, and decode the answer."""
        parts: dict[str, Any] = {name: (None, value) for name, value in fields.items()}
        return self._answer(self._client.build_request("POST", path, files={**parts, **files}))

    def items(self, path: str, *, limit: int, **parameters: str) -> list[Json]:
        """Return the first `limit` items of a list, from as many pages as needed."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while len(found) < limit:
            page = self.get(path, limit=min(PAGE, limit - len(found)), **parameters, **cursor)
            found += page["items"]
            if page.get("next") is None:
                break
            cursor = {"cursor": page["next"]}
        return found

    def events(self, path: str) -> Iterator[Json]:
        """Yield the decoded `data` of server-sent events until the stream ends or breaks."""
        with _plain_errors(self.url), self._client.stream("GET", path) as response:
            if response.is_error:
                response.read()
                raise _refused(response)
            lines: list[str] = []
            for line in response.iter_lines():
                if line.startswith("data:"):
                    lines.append(line.removeprefix("data:").removeprefix(" "))
                elif not line and lines:
                    yield json.loads("\n".join(lines))
                    lines = []

    def download(self, path: str, to: IO[bytes], **parameters: str) -> None:
        """Write what GET answers to a file, block by block."""
        with _plain_errors(self.url), self._client.stream("GET", path, params=parameters) as answer:
            if answer.is_error:
                answer.read()
                raise _refused(answer)
            for block in answer.iter_bytes():
                to.write(block)

    def _answer(self, request: httpx.Request) -> Json:
        with _plain_errors(self.url):
            response = self._client.send(request)
        if response.is_error:
            raise _refused(response)
        if response.status_code == httpx.codes.NO_CONTENT:
            return {}
        try:
            answer: Json = response.json()
        except ValueError:
            raise _refused(response) from None
        return answer


def place(name: str) -> str:
    """Return a name or id that the user typed as a part of a path.

    Raises:
        CommandError: it would make a different path.
    """
    if name in {"", ".", ".."}:
        raise CommandError(
            f"{name!r} is not a name or an id; `stepahead models` and `stepahead jobs` list them"
        )
    return quote(name, safe="", errors="surrogateescape")


class NotThere(CommandError):
    """Nothing answers at the URL."""


@contextmanager
def _plain_errors(url: str) -> Iterator[None]:
    """Map connection failures to errors in plain words."""
    try:
        yield
    except httpx.UnsupportedProtocol as error:
        raise CommandError(f"{url!r} is not a URL: it starts with http:// or https://") from error
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise NotThere(
            f"no service answers at {url}. Start one with `stepahead serve`, or set its address "
            "with --url or STEPAHEAD_URL."
        ) from error
    except httpx.TransportError as error:
        raise NotThere(f"the connection to {url} broke: {error}") from error


def _trusts_environment(url: str) -> bool:
    """Return whether to use the environment's proxies: not for a service on this machine."""
    return httpx.URL(url).host not in LOOPBACK_HOSTS


def _refused(response: httpx.Response) -> CommandError:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict) and "title" in problem:
        return Refused(response.status_code, problem)
    return CommandError(
        f"{response.request.url} answers {response.status_code}, and not as Stepahead does. Is "
        "--url right?"
    )
