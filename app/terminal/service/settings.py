"""Settings of the commands that run the service, and errors that the user can fix."""

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
from app.storage.store_errors import StoreMisconfigured, StoreUnavailable
from app.terminal.rendering.problems import CommandError
from app.validation_messages import message_of

WRONG_SETTINGS = 2  # exit code

# What PostgreSQL may say to a correct statement, and how to fix it.
MENDED_BY: dict[type[Exception], str] = {
    InsufficientPrivilege: "make its user the owner of the database, as in ALTER DATABASE name "
    "OWNER TO user",
    UndefinedTable: "it has not been prepared: run `stepahead migrate` first",
}


def read_settings(overrides: Mapping[str, Any]) -> Settings:
    """Return the settings from environment and options; options win, in child processes too.

    Raises:
        CommandError: settings are invalid; the message names each with what to do.
    """
    for name, value in overrides.items():
        if value is not None:
            os.environ[f"STEPAHEAD_{name.upper()}"] = str(value)
    try:
        return Settings()
    except ValidationError as error:
        lines = [_setting_text(entry["loc"], message_of(entry)) for entry in error.errors()]
        message = "\n  ".join(["these settings cannot be used:", *lines])
        raise CommandError(message, exit_code=WRONG_SETTINGS) from error


def required_database_url(settings: Settings, command: str) -> str:
    """Return the database URL, for a command that brings no database of its own.

    Raises:
        CommandError: it is not set.
    """
    if settings.database_url is None:
        raise CommandError(
            f"`stepahead {command}` needs a shared PostgreSQL: set "
            "STEPAHEAD_DATABASE_URL=postgresql://user:password@host:5432/name. On one machine, "
            "`stepahead serve` runs everything and brings its own PostgreSQL.",
            exit_code=WRONG_SETTINGS,
        )
    return settings.database_url


def check_database_url(settings: Settings) -> None:
    """Check that the database's URL is valid.

    Raises:
        CommandError: it is not.
    """
    if settings.database_url is None:
        return
    try:
        make_url(settings.database_url)
    except (ArgumentError, ValueError) as error:  # ValueError: its port is not a number
        raise CommandError(
            "STEPAHEAD_DATABASE_URL is not a valid URL; it looks like "
            "postgresql://user:password@host:5432/name",
            exit_code=WRONG_SETTINGS,
        ) from error
    try:
        conninfo(settings.database_url)
    except ValueError as error:
        raise CommandError(str(error), exit_code=WRONG_SETTINGS) from error
    except psycopg.ProgrammingError as error:
        told = f"STEPAHEAD_DATABASE_URL cannot be used: {str(error).strip()}"
        raise CommandError(told, exit_code=WRONG_SETTINGS) from error


def check_store(settings: Settings) -> None:
    """Check that a store can exist at the URL, and that it accepts this service.

    A store that does not answer does not end the command: it may come back, and the service says
    that it is away.

    Raises:
        CommandError: it cannot, or it does not.
    """
    if settings.store_url is None:
        return
    try:
        ObjectStore.of(settings).probe()
    except ValueError as error:
        raise CommandError(str(error), exit_code=WRONG_SETTINGS) from error
    except OSError as error:
        told = f"the folder of STEPAHEAD_STORE_URL={settings.store_url} cannot be created: {error}"
        raise CommandError(told, exit_code=WRONG_SETTINGS) from error
    except StoreMisconfigured as error:
        raise CommandError(_store_text(settings, error), exit_code=WRONG_SETTINGS) from error
    except StoreUnavailable:
        return


def _setting_text(location: tuple[int | str, ...], message: str) -> str:
    if not location:  # a rule about several settings names them itself
        return message
    name = f"STEPAHEAD_{str(location[0]).upper()}"
    return f"{name}={os.environ.get(name, '')}: {message}"


@contextmanager
def plain_errors(settings: Settings) -> Iterator[None]:
    """Set up logging, and show errors that the user can fix without a traceback."""
    check_database_url(settings)
    configure_logging(settings)
    check_store(settings)
    try:
        yield
    except (CannotListen, GivenUp, NewerDatabase) as error:
        raise CommandError(str(error)) from error
    except StoreUnavailable as error:
        raise CommandError(_store_text(settings, error)) from error
    except OperationalError as error:
        raise CommandError(f"{_database_text(settings)}: {error.orig}") from error
    except ProgrammingError as error:
        mended_by = next(
            (told for kind, told in MENDED_BY.items() if isinstance(error.orig, kind)), None
        )
        if mended_by is None:
            raise
        said = str(error.orig).partition("\n")[0]
        raise CommandError(f"{_database_text(settings)}: {said}; {mended_by}") from error


def _store_text(settings: Settings, error: StoreUnavailable) -> str:
    return f"the object store at {settings.resolved_store_url} cannot be used: {error.reason}"


def _database_text(settings: Settings) -> str:
    if settings.database_url is None:
        return "the embedded database cannot be used"
    place = make_url(settings.database_url).render_as_string(hide_password=True)
    return f"the database at {place} cannot be used"
