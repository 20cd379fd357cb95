"""Settings of the commands that run the service, and errors that a person can mend."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from app.config import Settings
from app.db.engine import database_url
from app.observability import configure_logging
from app.supervision.listening import CannotListen
from app.supervision.restarts import GivenUp
from app.terminal.problems import Told

WRONG_SETTINGS = 2  # exit code


def read_settings(overrides: Mapping[str, Any]) -> Settings:
    """The settings from environment and options; options win, in our children too.

    Raises:
        Told: settings are wrong; each is named with what would be right.
    """
    for name, value in overrides.items():
        if value is not None:
            os.environ[f"STEPAHEAD_{name.upper()}"] = str(value)
    try:
        return Settings()
    except ValidationError as error:
        lines = [_setting_told(entry["loc"], entry["msg"]) for entry in error.errors()]
        message = "\n  ".join(["these settings cannot be used:", *lines])
        raise Told(message, exit_code=WRONG_SETTINGS) from error


def required_database_url(settings: Settings, command: str) -> str:
    """The database of a command that brings none along.

    Raises:
        Told: none is set.
    """
    if settings.database_url is None:
        raise Told(
            f"`stepahead {command}` works on a PostgreSQL that others share, and none is named: "
            "set STEPAHEAD_DATABASE_URL=postgresql://user:password@host:5432/name. On one "
            "machine `stepahead serve` runs everything and brings its own PostgreSQL.",
            exit_code=WRONG_SETTINGS,
        )
    return settings.database_url


def check_database_url(settings: Settings) -> None:
    """See whether the database's URL can be one.

    Raises:
        Told: it cannot.
    """
    try:
        if settings.database_url is not None:
            database_url(settings.database_url)
    except ArgumentError as error:
        raise Told(
            "STEPAHEAD_DATABASE_URL is no URL: it looks like "
            "postgresql://user:password@host:5432/name",
            exit_code=WRONG_SETTINGS,
        ) from error
    except ValueError as error:
        raise Told(str(error), exit_code=WRONG_SETTINGS) from error


def _setting_told(location: tuple[int | str, ...], message: str) -> str:
    if not location:  # a rule over several settings names them itself
        return message.removeprefix("Value error, ")
    name = f"STEPAHEAD_{str(location[0]).upper()}"
    return f"{name}={os.environ.get(name, '')}: {message}"


@contextmanager
def told_plainly(settings: Settings) -> Iterator[None]:
    """Logging set up; what a person can mend is told without a traceback."""
    check_database_url(settings)
    configure_logging(settings)
    try:
        yield
    except (CannotListen, GivenUp) as error:
        raise Told(str(error)) from error
    except OperationalError as error:
        place = make_url(settings.database_url or "").render_as_string(hide_password=True)
        raise Told(f"the database at {place} cannot be used: {error.orig}") from error
