"""HTTP client of a running service, for the commands."""

import json
import re
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

import httpx

from app.terminal.rendering.problems import CommandError, Refused
from stepahead.connection import Connection, Json, problem_in

PAGE = 100
SEARCHED = 1000  # items in which a short id is looked up
# The end of a UUIDv7 is random; its beginning is the time, alike for all of a minute.
SHORT_LENGTH = 8
SHORT_ID = re.compile(r"[0-9a-f]{6,12}")


class Service(Connection):
    """The service at a URL, with errors for the terminal.

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
        try:
            super().__init__(url, key=key, transport=transport, retries=0)
        except (httpx.InvalidURL, ValueError) as error:
            raise CommandError(f"--url {url!r} is not a URL: {error}") from error

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

    def whole_id(self, path: str, typed: str) -> str:
        """Return the id that a short id from a table stands for; anything else as it was typed.

        Raises:
            CommandError: no item of the list ends like this, or several do.
        """
        if SHORT_ID.fullmatch(typed) is None:
            return typed
        ids = [each["id"] for each in self.items(path, limit=SEARCHED)]
        found = [each for each in ids if each.endswith(typed)]
        if len(found) != 1:
            told = f"{len(found)} of the newest {len(ids):,} ids end with {typed}"
            raise CommandError(f"{told}; give the whole id, which --json shows")
        return str(found[0])

    def events(self, path: str) -> Iterator[Json]:
        """Yield the decoded `data` of server-sent events until the stream ends or breaks."""
        with self.plain_errors(), self._client.stream("GET", path) as response:
            if response.is_error:
                response.read()
                raise self.refused(response)
            lines: list[str] = []
            for line in response.iter_lines():
                if line.startswith("data:"):
                    lines.append(line.removeprefix("data:").removeprefix(" "))
                elif not line and lines:
                    yield json.loads("\n".join(lines))
                    lines = []

    def download(self, path: str, to: IO[bytes], **parameters: str) -> None:
        """Write what GET answers to a file, block by block."""
        with self.plain_errors(), self._client.stream("GET", path, params=parameters) as answer:
            if answer.is_error:
                answer.read()
                raise self.refused(answer)
            for block in answer.iter_bytes():
                to.write(block)

    def not_reachable(self, error: httpx.TransportError) -> CommandError:
        """Return the error for a connection that failed, in plain words."""
        if isinstance(error, httpx.UnsupportedProtocol):
            return CommandError(f"{self.url!r} is not a URL: it starts with http:// or https://")
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            return NotThere(
                f"no service answers at {self.url}. Start one with `stepahead serve`, or set its "
                "address with --url or STEPAHEAD_URL."
            )
        return NotThere(f"the connection to {self.url} broke: {error}")

    def refused(self, response: httpx.Response) -> CommandError:
        """Return the error for an answer that is a problem, or not the service's."""
        problem = problem_in(response)
        if problem is not None:
            return Refused(response.status_code, problem)
        return CommandError(
            f"{response.request.url} answers {response.status_code}, and not as Stepahead does. Is "
            "--url right?"
        )


def short(whole_id: str) -> str:
    """Return the end of an id, which commands accept in its place."""
    return whole_id[-SHORT_LENGTH:]


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
