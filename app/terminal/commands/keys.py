"""`stepahead keys`: create, list and revoke keys."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from app.terminal.client import Service, place
from app.terminal.rendering.figures import ago, local_time
from app.terminal.rendering.problems import CommandError
from app.terminal.rendering.tables import plain_table
from stepahead.connection import Json

SPAN = re.compile(r"(?P<count>[0-9]+)(?P<unit>[dhw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LIMITS = ("requests_per_minute", "predictions_per_minute", "upload_bytes_per_day", "queued_jobs")
SIZE = re.compile(r"(?P<count>[0-9]+)(?P<unit>[kMG]?)B?")
MOST = 100_000  # keys that are searched
FACTORS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


@dataclass(frozen=True, kw_only=True)
class KeyOrder:
    """What the user asked for."""

    name: str
    scope: str
    models: str | None  # separated by commas
    expires: str | None  # a date or a time span
    limits: Sequence[str]  # NAME=NUMBER

    def body(self) -> Json:
        """Return the body of `POST /keys`.

        Raises:
            CommandError: the expiry or a limit is malformed.
        """
        return {
            "name": self.name,
            "scope": self.scope,
            "models": None
            if self.models is None
            else [each.strip() for each in self.models.split(",")],
            "expires_at": None if self.expires is None else expiry(self.expires, datetime.now(UTC)),
            "limits": dict(map(read_limit, self.limits)),
        }


def run_create(url: str, order: KeyOrder, *, as_json: bool) -> None:
    """Create a key and show it once."""
    with Service(url) as service:
        made = service.post("/keys", order.body())
    if as_json:
        print(json.dumps(made))
        return
    print(made["key"])
    Console(stderr=True).print(
        f"This key is not shown again. Its scope is {made['scope']}. Send it as "
        "`Authorization: Bearer KEY`, or set it as STEPAHEAD_API_KEY for these commands."
    )


def run_list(url: str, *, limit: int, as_json: bool) -> None:
    """Show the keys, newest first."""
    with Service(url) as service:
        found = service.items("/keys", limit=limit)
    if as_json:
        print(json.dumps(found))
    elif found:
        Console(highlight=False).print(keys_table(found))
    else:
        print("No keys yet: `stepahead keys create` makes one.")


def run_revoke(url: str, key: str) -> None:
    """Revoke the key with this name or id.

    Raises:
        CommandError: there is none.
    """
    with Service(url) as service:
        found = [
            each for each in service.items("/keys", limit=MOST) if key in {each["name"], each["id"]}
        ]
        if not found:
            raise CommandError(f"there is no key {key!r}; `stepahead keys list` shows them")
        revoked = service.delete(f"/keys/{place(found[0]['id'])}")
    print(f"The key {revoked['name']!r} is revoked.")


def expiry(text: str, now: datetime) -> str:
    """Return the time that a date or a time span from now stands for, in ISO form.

    Raises:
        CommandError: the text is neither.
    """
    span = SPAN.fullmatch(text)
    if span is not None:
        return (now + int(span["count"]) * UNITS[span["unit"]]).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(
            f"--expires {text!r} is neither a date (2027-06-30) nor a span (12h, 30d, 8w)"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def read_limit(text: str) -> tuple[str, int]:
    """Return the name and number of `NAME=NUMBER`; 2GB is 2,000,000,000.

    Raises:
        CommandError: the text does not have that form.
    """
    name, _, value = text.partition("=")
    number = SIZE.fullmatch(value)
    if name not in LIMITS or number is None:
        raise CommandError(
            f"--limit {text!r}: write NAME=NUMBER, where NAME is one of {', '.join(LIMITS)}"
        )
    return name, int(number["count"]) * FACTORS[number["unit"]]


def keys_table(found: list[Json]) -> Table:
    """Return the keys as a table that fits 80 columns."""
    table = plain_table("name", "for", "models", "limits", "last used", "state")
    for key in found:
        if key["revoked_at"] is not None:
            state = "revoked"
        elif key["expires_at"] is not None:
            state = f"until {local_time(key['expires_at'])}"
        else:
            state = "good"
        used = "never" if key["last_used_at"] is None else ago(key["last_used_at"])
        models = "all" if key["models"] is None else ", ".join(key["models"])
        limits = "\n".join(f"{name}={number}" for name, number in key["limits"].items() if number)
        table.add_row(key["name"], key["scope"], models, limits or "none", used, state)
    return table
