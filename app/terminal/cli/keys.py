"""Commands that create, list and revoke keys."""

from typing import Annotated

import typer

from app.terminal.cli.options import LOCAL, Json, Limit, Url

commands = typer.Typer(
    help="Create, list and revoke keys: who may call the service, and what for.",
    no_args_is_help=True,
)


@commands.command()
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
        str | None,
        typer.Option(help="The models it is for, separated by commas; by default, all."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="A date, or a time span: 12h, 30d, 8w. By default, never.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="What it may use: requests_per_minute, predictions_per_minute, "
            "upload_bytes_per_day, queued_jobs. For example --limit predictions_per_minute=600 or "
            "--limit upload_bytes_per_day=2GB.",
        ),
    ] = None,
    url: Url = LOCAL,
    as_json: Json = False,
) -> None:
    """Create a key. It is shown once."""
    from app.terminal.commands.keys import KeyOrder, run_create

    order = KeyOrder(
        name=name, scope=scope, models=models, expires=expires, limits=tuple(limit or ())
    )
    run_create(url, order, as_json=as_json)


@commands.command("list")
def list_keys(*, limit: Limit = 50, url: Url = LOCAL, as_json: Json = False) -> None:
    """List keys, newest first, each with its last use."""
    from app.terminal.commands.keys import run_list

    run_list(url, limit=limit, as_json=as_json)


@commands.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its name or its id.")], *, url: Url = LOCAL
) -> None:
    """Revoke a key. Within a second no process accepts it any more."""
    from app.terminal.commands.keys import run_revoke

    run_revoke(url, key)
