"""All commands. Each imports what it needs, so that `--help` is there at once."""

from importlib.metadata import version
from typing import Annotated

import typer

from app.terminal.cli import installation, keys, service, serving, training

HELP = """
Predict the next step: upload a CSV or a text, train in the background, see whether the model
beats "tomorrow equals today", serve it over HTTP.

[bold]Start here:[/bold] `stepahead serve` in one terminal, and in a second one

  stepahead predict google-stock 778.81 788.36 786.08
  stepahead sample google > google.csv
  stepahead check google.csv
  stepahead train google.csv --target price
"""

cli = typer.Typer(
    name="stepahead",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (service, installation, training, serving):
    cli.add_typer(group.commands)
cli.add_typer(keys.commands, name="keys", rich_help_panel=service.PANEL)


def show_version(*, asked: bool) -> None:
    """Print the version and exit."""
    if asked:
        typer.echo(f"stepahead {version('stepahead')}")
        raise typer.Exit


@cli.callback()
def stepahead(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda asked: show_version(asked=asked),
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Take the options that stand before any command."""
