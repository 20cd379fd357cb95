"""`stepahead serve` and `stepahead migrate`."""

from collections.abc import Mapping
from typing import Any

from app.storage.embedded import EmbeddedPostgresError
from app.supervisor import Served, prepare, serve
from app.terminal.rendering.problems import CommandError
from app.terminal.service.settings import plain_errors, read_settings, required_database_url


def run_serve(overrides: Mapping[str, Any]) -> None:
    """Run `stepahead serve`."""
    settings = read_settings(overrides)
    with plain_errors(settings):
        try:
            serve(
                settings,
                announce=lambda served: announce(served, keyed=settings.api_key is not None),
            )
        except EmbeddedPostgresError as error:
            raise CommandError(str(error)) from error


def run_migrate() -> None:
    """Run `stepahead migrate`."""
    settings = read_settings({})
    url = required_database_url(settings, "migrate")
    with plain_errors(settings):
        prepare(settings, url)
    print("The database and the store are up to date.")


def announce(served: Served, *, keyed: bool) -> None:
    """Announce that the service is ready; flushed, because a pipe may read it."""
    print(welcome(served, keyed=keyed), flush=True)


def welcome(served: Served, *, keyed: bool) -> str:
    """Return the announcement: the address, a first request, where the data is."""
    if served.database_dir is None:
        database = "the PostgreSQL of STEPAHEAD_DATABASE_URL"
    elif served.database_dir.is_relative_to(served.data_dir):
        database = "its own PostgreSQL"
    else:  # a backup needs both folders
        database = f"its own PostgreSQL in {served.database_dir}"
    key = '\n    -H "Authorization: Bearer $STEPAHEAD_API_KEY" \\' if keyed else ""
    return f"""
Stepahead is ready at {served.url} (dashboard; docs at {served.url}/docs)

Try, in a second terminal:
  curl -s {served.url}/predict -H 'content-type: application/json' \\{key}
    -d '{{"history": [66, 53, 70, 88, 69, 56, 74, 92, 73, 60, 78, 96]}}'

Data is kept in {served.data_dir}, with {database}. Ctrl-C stops in order.
"""
