"""Settings of the commands that run the service, and errors that a person can mend."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from pydantic import ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

from app.config import Settings
from app.process.listening import CannotListen
from app.process.observability import configure_logging
from app.process.restarts import GivenUp
from app.storage.engine import conninfo
from app.storage.object_store import ObjectStore
from app.storage.schema_version import NewerDatabase
from app.terminal.rendering.problems import Told
from app.validation_messages import message_of

WRONG_SETTINGS = 2  # exit code

# What PostgreSQL may say to a statement that is right, and who can mend it.
MENDED_BY: dict[type[Exception], str] = {
    InsufficientPrivilege: "make its user the owner of the database, as in ALTER DATABASE name "
    "OWNER TO user",
    UndefinedTable: "it has not been prepared: run `stepahead migrate` first",
}


def read_settings(overrides: Mapping[str, Any]) -> Settings:
    """Return the settings from environment and options; options win, in our children too.

    Raises:
        Told: settings are wrong; each is named with what would be right.
    """
    for name, value in overrides.items():
        if value is not None:
            os.environ[f"STEPAHEAD_{name.upper()}"] = str(value)
    try:
        return Settings()
    except ValidationError as error:
        lines = [_setting_told(entry["loc"], message_of(entry)) for entry in error.errors()]
        message = "\n  ".join(["these settings cannot be used:", *lines])
        raise Told(message, exit_code=WRONG_SETTINGS) from error


def required_database_url(settings: Settings, command: str) -> str:
    """Return the database of a command that brings none along.

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
    if settings.database_url is None:
        return
    try:
        make_url(settings.database_url)
    except (ArgumentError, ValueError) as error:  # ValueError: its port is no number
        raise Told(
            "STEPAHEAD_DATABASE_URL is no URL: it looks like "
            "postgresql://user:password@host:5432/name",
            exit_code=WRONG_SETTINGS,
        ) from error
    try:
        conninfo(settings.database_url)
    except ValueError as error:
        raise Told(str(error), exit_code=WRONG_SETTINGS) from error
    except psycopg.ProgrammingError as error:
        told = f"STEPAHEAD_DATABASE_URL cannot be used: {str(error).strip()}"
        raise Told(told, exit_code=WRONG_SETTINGS) from error


def check_store_url(settings: Settings) -> None:
    """See whether there can be a store at the URL that was set.

    Raises:
        Told: there cannot.
    """
    if settings.store_url is None:
        return
    try:
        ObjectStore.open(settings.store_url)
    except ValueError as error:
        raise Told(str(error), exit_code=WRONG_SETTINGS) from error
    except OSError as error:
        told = f"the folder of STEPAHEAD_STORE_URL={settings.store_url} cannot be made: {error}"
        raise Told(told, exit_code=WRONG_SETTINGS) from error


def _setting_told(location: tuple[int | str, ...], message: str) -> str:
    if not location:  # a rule over several settings names them itself
        return message
    name = f"STEPAHEAD_{str(location[0]).upper()}"
    return f"{name}={os.environ.get(name, '')}: {message}"


@contextmanager
def told_plainly(settings: Settings) -> Iterator[None]:
    """Logging set up; what a person can mend is told without a traceback."""
    check_database_url(settings)
    check_store_url(settings)
    configure_logging(settings)
    try:
        yield
    except (CannotListen, GivenUp, NewerDatabase) as error:
        raise Told(str(error)) from error
    except OperationalError as error:
        raise Told(f"{_database_told(settings)}: {error.orig}") from error
    except ProgrammingError as error:
        mended_by = next(
            (told for kind, told in MENDED_BY.items() if isinstance(error.orig, kind)), None
        )
        if mended_by is None:
            raise
        said = str(error.orig).partition("\n")[0]
        raise Told(f"{_database_told(settings)}: {said}; {mended_by}") from error


def _database_told(settings: Settings) -> str:
    if settings.database_url is None:
        return "the embedded database cannot be used"
    place = make_url(settings.database_url).render_as_string(hide_password=True)
    return f"the database at {place} cannot be used"
