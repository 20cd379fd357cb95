"""`stepahead keys`: make, list and revoke keys."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.terminal.client import Json as Answer
from app.terminal.client import Service, place
from app.terminal.commands.options import LOCAL, Json, Limit, Url
from app.terminal.rendering.figures import local_time
from app.terminal.rendering.problems import Told

keys = typer.Typer(
    help="Make, list and revoke keys: who may call the service, and what for.",
    no_args_is_help=True,
)

SPAN = re.compile(r"(?P<count>[0-9]+)(?P<unit>[dhw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LIMITS = ("requests_per_minute", "predictions_per_minute", "upload_bytes_per_day", "queued_jobs")
SIZE = re.compile(r"(?P<count>[0-9]+)(?P<unit>[kMG]?)B?")
MOST = 100_000  # keys that are looked through
FACTORS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


@keys.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="Who or what it is for.")],
    scope: Annotated[
        str,
        typer.Option(
            help="predict: ask models; train: also upload, train and promote; admin: everything."
        ),
    ],
    models: Annotated[
        str | None, typer.Option(help="The only models it is for, with commas; left out: all.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="A date, or how long: 12h, 30d, 8w. Left out: never.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help=f"What it may use: {', '.join(LIMITS)}. As in --limit predictions_per_minute=600 "
            "or --limit upload_bytes_per_day=2GB.",
        ),
    ] = None,
    url: Url = LOCAL,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once."""
    body = {
        "name": name,
        "scope": scope,
        "models": None if models is None else [each.strip() for each in models.split(",")],
        "expires_at": None if expires is None else expiry(expires, datetime.now(UTC)),
        "limits": dict(map(read_limit, limit or ())),
    }
    with Service(url) as service:
        made = service.post("/keys", body)
    if as_json:
        print(json.dumps(made))
        return
    print(made["key"])
    Console(stderr=True).print(
        f"This key is not shown again. It is for {made['scope']}; send it as "
        "`Authorization: Bearer KEY`, or set it as STEPAHEAD_API_KEY for these commands."
    )


@keys.command("list")
def list_keys(*, limit: Limit = 50, url: Url = LOCAL, as_json: Json = False) -> None:
    """List keys, newest first, each with its last use."""
    with Service(url) as service:
        found = service.items("/keys", limit=limit)
    if as_json:
        print(json.dumps(found))
    elif found:
        Console(highlight=False).print(keys_table(found))
    else:
        print("No keys yet: stepahead keys create makes one.")


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its name or its id.")], *, url: Url = LOCAL
) -> None:
    """Revoke a key; no process takes it any more within a second."""
    with Service(url) as service:
        found = [
            each for each in service.items("/keys", limit=MOST) if key in {each["name"], each["id"]}
        ]
        if not found:
            raise Told(f"there is no key {key!r}; `stepahead keys list` shows them")
        revoked = service.delete(f"/keys/{place(found[0]['id'])}")
    print(f"The key {revoked['name']!r} is revoked.")


def expiry(text: str, now: datetime) -> str:
    """Return the moment that a date or a span from now means, in ISO form.

    Raises:
        Told: it is neither.
    """
    span = SPAN.fullmatch(text)
    if span is not None:
        return (now + int(span["count"]) * UNITS[span["unit"]]).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Told(
            f"--expires {text!r} is neither a date (2027-06-30) nor a span (12h, 30d, 8w)"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def read_limit(text: str) -> tuple[str, int]:
    """Return the name and number of `NAME=NUMBER`; 2GB is 2,000,000,000.

    Raises:
        Told: it is not of that form.
    """
    name, _, value = text.partition("=")
    number = SIZE.fullmatch(value)
    if name not in LIMITS or number is None:
        raise Told(f"--limit {text!r}: write NAME=NUMBER, where NAME is one of {', '.join(LIMITS)}")
    return name, int(number["count"]) * FACTORS[number["unit"]]


def keys_table(found: list[Answer]) -> Table:
    """Return the keys as a table that fits 80 columns."""
    table = Table("name", "for", "models", "last used", "state")
    for key in found:
        if key["revoked_at"] is not None:
            state = "revoked"
        elif key["expires_at"] is not None:
            state = f"until {local_time(key['expires_at'])}"
        else:
            state = "good"
        used = "never" if key["last_used_at"] is None else local_time(key["last_used_at"])
        models = "all" if key["models"] is None else ", ".join(key["models"])
        table.add_row(key["name"], key["scope"], models, used, state)
    return table
