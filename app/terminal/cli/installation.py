"""Commands that back up an installation and move versions between installations."""

from pathlib import Path
from typing import Annotated

import typer

from app.terminal.cli.options import LOCAL, Backup, DataDir, Url

PANEL = "Back up and move"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def backup(place: Backup, *, data_dir: DataDir = None) -> None:
    """Save the whole installation, database and store, in one archive.

    The service may run meanwhile: the archive is consistent. It covers what STEPAHEAD_DATABASE_URL
    and STEPAHEAD_STORE_URL name, or else the data directory.
    """
    from app.terminal.service.backup import run_backup

    run_backup(place, data_dir=data_dir)


@commands.command(rich_help_panel=PANEL)
def restore(place: Backup, *, data_dir: DataDir = None) -> None:
    """Restore a backup into an empty installation, on this database or another.

    A backup of the embedded database can be restored into a PostgreSQL of your own, and the other
    way round.
    """
    from app.terminal.service.backup import run_restore

    run_restore(place, data_dir=data_dir)


@commands.command(rich_help_panel=PANEL)
def export(
    version: Annotated[str, typer.Argument(metavar="MODEL@N", help="For example prices@3.")],
    file: Annotated[
        Path | None, typer.Argument(help="Where to write it; by default MODEL-N.tar.")
    ] = None,
    *,
    url: Url = LOCAL,
) -> None:
    """Save one version as a file that another installation can import."""
    from app.terminal.commands.versions import run_export

    run_export(version, file, url=url)


@commands.command(rich_help_panel=PANEL, name="import")
def import_version(
    file: Annotated[Path, typer.Argument(help="A file that `stepahead export` wrote.")],
    *,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Its name here; by default, as it was.")
    ] = None,
    url: Url = LOCAL,
) -> None:
    """Import a version that another installation exported.

    It is checked to be plain data first. The first version of a model is served at once; a later
    one waits until it is promoted.
    """
    from app.terminal.commands.versions import run_import

    run_import(file, model, url=url)


@commands.command(rich_help_panel=PANEL, name="upgrade-database")
def upgrade_database(
    programs: Annotated[
        Path, typer.Option(help="Folder with the programs of the PostgreSQL that made it.")
    ],
    *,
    data_dir: DataDir = None,
) -> None:
    """Move the embedded database to the major PostgreSQL version that this release brings."""
    from app.terminal.service.backup import run_upgrade_database

    run_upgrade_database(programs, data_dir=data_dir)


@commands.command(rich_help_panel=PANEL, name="check-backup")
def check_backup(place: Backup) -> None:
    """Read a backup from end to end, verify every part of it, and show what it holds."""
    from app.terminal.service.backup import run_check_backup

    run_check_backup(place)
