"""Commands that run the service."""

from typing import Annotated

import typer

from app.terminal.cli.options import DataDir, Inherited, Listen, Port

PANEL = "Run the service"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def serve(
    *,
    host: Listen = None,
    port: Port = None,
    data_dir: DataDir = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Training processes [STEPAHEAD_WORKERS].")
    ] = None,
) -> None:
    """Run everything on this machine: database, migrations, shipped models, worker, api.

    Without STEPAHEAD_DATABASE_URL, it runs an embedded PostgreSQL in the data directory.
    Ctrl-C stops in order: the api finishes its answers, the worker returns its job to the queue,
    then the database ends. A second Ctrl-C does not wait.
    """
    from app.terminal.service.serve import run_serve

    run_serve({"host": host, "port": port, "data_dir": data_dir, "workers": workers})


@commands.command(rich_help_panel=PANEL)
def api(
    *,
    host: Listen = None,
    port: Port = None,
    inherited: Annotated[
        str | None, typer.Option(hidden=True, help="File descriptors of a supervisor.")
    ] = None,
) -> None:
    """Run the HTTP api alone, on a database that `stepahead migrate` has prepared.

    Needs STEPAHEAD_DATABASE_URL, and on more than one machine STEPAHEAD_STORE_URL.
    STEPAHEAD_API_PROCESSES sets how many processes share the port.
    """
    from app.terminal.service.api import run_api_command

    run_api_command({"host": host, "port": port}, inherited=inherited)


@commands.command(rich_help_panel=PANEL)
def worker(*, lifeline: Inherited = None) -> None:
    """Run one training worker. Run any number, on any machine that reaches database and store.

    Needs STEPAHEAD_DATABASE_URL, and on more than one machine STEPAHEAD_STORE_URL. On SIGTERM it
    leaves a checkpoint, returns its job to the queue and ends.
    """
    from app.terminal.service.worker import run_worker_command

    run_worker_command(lifeline=lifeline)


@commands.command(rich_help_panel=PANEL)
def migrate() -> None:
    """Bring database and store up to date: migrations, log partitions, shipped models.

    Needs STEPAHEAD_DATABASE_URL. Run it before the api and workers of a new version start. Running
    it twice, or in two places at once, is safe. `serve` does it automatically.
    """
    from app.terminal.service.serve import run_migrate

    run_migrate()
