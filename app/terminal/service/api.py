"""`stepahead api`: one process, the supervisor of several, or one of those."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import OperationalError

from app.api_process import inherited_socket, run_api, run_apis
from app.process.listening import listen
from app.process.programs import Inherited
from app.storage.schema_version import refuse_newer_at_start
from app.terminal.service.settings import plain_errors, read_settings, required_database_url


def run_api_command(overrides: Mapping[str, Any], *, inherited: str | None) -> None:
    """Serve HTTP until asked to stop."""
    settings = read_settings(overrides)
    url = required_database_url(settings, "api")
    with plain_errors(settings):
        if inherited is not None:
            handed_on = Inherited.parse(inherited)
            socket = inherited_socket(handed_on.listener)
            run_api(settings, database_url=url, listener=socket, inherited=handed_on)
            return
        with suppress(OperationalError):  # it is checked again when the database answers
            refuse_newer_at_start(url)
        if settings.api_processes > 1:
            run_apis(settings, database_url=url)
        else:
            socket = listen(settings.host, settings.port)
            run_api(settings, database_url=url, listener=socket)
