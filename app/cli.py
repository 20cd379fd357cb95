"""The command line. Each command imports what it needs, so that `--help` is there at once."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from app.process.gc_tuning import WHILE_STARTING, look_for_garbage_seldom
from app.terminal.commands.assess import compare, evaluate
from app.terminal.commands.keys import keys
from app.terminal.commands.options import (
    LOCAL,
    Backup,
    Changes,
    DataDir,
    File,
    Inherited,
    Json,
    Limit,
    Listen,
    Name,
    Port,
    Preset,
    Read,
    Target,
    Test,
    Url,
)
from app.terminal.commands.piped import file_or_pipe, whole_file
from app.terminal.rendering.problems import Told

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

cli.add_typer(keys, name="keys")

SERVICE = "Run the service"
USE = "Use a running service"
KEEP = "Back up and move"


def show_version(*, asked: bool) -> None:
    """Print which Stepahead this is, and end."""
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
            help="Show which version this is and exit.",
        ),
    ] = False,
) -> None:
    """Options before any command."""


@cli.command(rich_help_panel=SERVICE)
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

    Without STEPAHEAD_DATABASE_URL it brings its own PostgreSQL, kept in the data directory.
    Ctrl-C stops in order: the api finishes its answers, the worker hands its job back, then the
    database ends. A second Ctrl-C does not wait.
    """
    from app.terminal.service.serve import run_serve

    run_serve({"host": host, "port": port, "data_dir": data_dir, "workers": workers})


@cli.command(rich_help_panel=SERVICE)
def api(
    *,
    host: Listen = None,
    port: Port = None,
    listener: Inherited = None,
    lifeline: Inherited = None,
) -> None:
    """Run the HTTP api alone, on a database that `stepahead migrate` has prepared.

    Needs STEPAHEAD_DATABASE_URL, and with more than one machine STEPAHEAD_STORE_URL. How many
    processes share the port: STEPAHEAD_API_PROCESSES.
    """
    from app.terminal.service.api import run_api_command

    run_api_command({"host": host, "port": port}, listener=listener, lifeline=lifeline)


@cli.command(rich_help_panel=SERVICE)
def worker(*, lifeline: Inherited = None) -> None:
    """Run one training worker; as many as wanted, on any machine that reaches database and store.

    Needs STEPAHEAD_DATABASE_URL, and with more than one machine STEPAHEAD_STORE_URL. SIGTERM:
    it leaves a checkpoint, hands its job back and ends.
    """
    from app.terminal.service.worker import run_worker_command

    run_worker_command(lifeline=lifeline)


@cli.command(rich_help_panel=SERVICE)
def migrate() -> None:
    """Bring database and store up to date: migrations, log partitions, shipped models.

    Needs STEPAHEAD_DATABASE_URL. Run it before a new version's api and worker start; running it
    twice, or in two places at once, does no harm. `serve` does it by itself.
    """
    from app.terminal.service.serve import run_migrate

    run_migrate()


@cli.command(rich_help_panel=KEEP)
def backup(place: Backup, *, data_dir: DataDir = None) -> None:
    """Save the whole installation, database and store, in one archive.

    The service may go on meanwhile: everything is from one moment. Backs up what
    STEPAHEAD_DATABASE_URL and STEPAHEAD_STORE_URL name, else the data directory.
    """
    from app.terminal.service.backup import run_backup

    run_backup(place, data_dir=data_dir)


@cli.command(rich_help_panel=KEEP)
def restore(place: Backup, *, data_dir: DataDir = None) -> None:
    """Put a backup into an empty installation, on this database or another.

    A backup of the embedded database can be restored into a PostgreSQL of one's own, and back.
    """
    from app.terminal.service.backup import run_restore

    run_restore(place, data_dir=data_dir)


@cli.command(rich_help_panel=KEEP)
def export(
    version: Annotated[str, typer.Argument(metavar="MODEL@N", help="As in prices@3.")],
    file: Annotated[
        Path | None, typer.Argument(help="Where to write it; left out: MODEL-N.tar.")
    ] = None,
    *,
    url: Url = LOCAL,
) -> None:
    """Save one version as a file that another installation can import."""
    from app.terminal.commands.versions import run_export

    run_export(version, file, url=url)


@cli.command(rich_help_panel=KEEP, name="import")
def import_version(
    file: Annotated[Path, typer.Argument(help="What `stepahead export` wrote.")],
    *,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Its name here; left out: as it was.")
    ] = None,
    url: Url = LOCAL,
) -> None:
    """Take in a version that another installation exported.

    It is proven to be plain data first. The first version of a model is served; a later one waits
    until it is promoted.
    """
    from app.terminal.commands.versions import run_import

    run_import(file, model, url=url)


@cli.command(rich_help_panel=KEEP, name="upgrade-database")
def upgrade_database(
    programs: Annotated[
        Path, typer.Option(help="Folder with the programs of the PostgreSQL that made it.")
    ],
    *,
    data_dir: DataDir = None,
) -> None:
    """Move the embedded database to the major PostgreSQL that this release brings."""
    from app.terminal.service.backup import run_upgrade_database

    run_upgrade_database(programs, data_dir=data_dir)


@cli.command(rich_help_panel=KEEP, name="check-backup")
def check_backup(place: Backup) -> None:
    """Read a backup from end to end, verify every part of it, and say what it holds."""
    from app.terminal.service.backup import run_check_backup

    run_check_backup(place)


@cli.command(rich_help_panel=USE)
def train(
    file: File,
    *,
    model: Name = None,
    preset: Preset = None,
    target: Target = None,
    test: Test = None,
    changes: Changes = None,
    read: Read = None,
    start_from: Annotated[
        int | None, typer.Option(min=1, help="A version of the model to start warm from.")
    ] = None,
    extend: Annotated[
        bool,
        typer.Option("--extend", help="Join FILE to what the model was last trained on, by time."),
    ] = False,
    detach: Annotated[bool, typer.Option(help="Return once the job is accepted.")] = False,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """Upload FILE, train on it, show how good the model is, and predict what comes next.

    [bold]The chapter's stock model:[/bold]
    stepahead train google_stock_train.csv --model google --preset chapter --target Open
    --test google_stock_test.csv

    [bold]Newer rows for a model that is there:[/bold]
    stepahead train february.csv --model prices --extend

    [bold]A field of the recipe:[/bold] --set epochs=50 --set layers=[32,16] --set cell=gru

    Ctrl-C asks whether the job should go on without you; `stepahead jobs ID --follow` returns
    to it.
    """
    from app.terminal.commands.train import TrainingOrder, run_train

    with whole_file(file) as whole:
        order = TrainingOrder(
            file=whole,
            model=model,
            preset=preset,
            target=target,
            test=test,
            changes=tuple(changes or ()),
            read=tuple(read or ()),
            start_from=start_from,
            extend=extend,
        )
        run_train(url, order, detach=detach, as_json=as_json)


@cli.command(rich_help_panel=USE)
def check(
    file: File,
    *,
    read: Read = None,
    column: Annotated[
        str | None, typer.Option(help="Column to draw; left out: the one that is suggested.")
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Series to draw, where FILE has several.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Show how FILE is understood, and what is odd about it; what to look at comes first.

    Needs no running service, and stores nothing.

    stepahead check prices.csv --read date_order=dmy

    zcat prices.csv.gz | head -n 1000 | stepahead check -
    """
    from app.terminal.commands.check import run_check

    run_check(file, read or (), column=column, series=series, as_json=as_json)


cli.command(rich_help_panel=USE)(evaluate)
cli.command(rich_help_panel=USE)(compare)


@cli.command(rich_help_panel=USE, context_settings={"ignore_unknown_options": True})
def predict(
    model: Annotated[str, typer.Argument(help="NAME, NAME@ALIAS or NAME@VERSION.")],
    past: Annotated[
        list[str] | None,
        typer.Argument(help="Numbers, oldest first, or a text; left out or -: standard input."),
    ] = None,
    *,
    horizon: Annotated[int | None, typer.Option(min=1, help="Steps ahead (series).")] = None,
    level: Annotated[
        list[int] | None,
        typer.Option(min=50, max=99, help="Intervals of so many % (series); left out: 80 and 95."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Tokens to write (text).")] = 1,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Alternatives to show (text); left out: 5.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 takes the most probable token (text).")
    ] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Repeats a temperature's dice (text).")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            parser=file_or_pipe,
            metavar="FILE",
            help="Predict what comes after this file; -: standard input.",
        ),
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Which series of FILE; left out: each of them.")
    ] = None,
    read: Read = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """Predict the next step with MODEL.

    stepahead predict google-stock 778.81 788.36 786.08

    stepahead predict belling-the-cat "long ago , the" --steps 5

    cut -d, -f2 prices.csv | tail -n 60 | stepahead predict my-prices

    stepahead predict my-prices --file prices.csv --horizon 7 --csv
    """
    from app.terminal.commands.predict import (
        LEVELS,
        PredictionOrder,
        check_without_file,
        run_predict,
    )

    order = PredictionOrder(
        model=model,
        past=tuple(past or ()),
        horizon=horizon,
        levels=tuple(level or LEVELS),
        steps=steps,
        top_k=top_k,
        temperature=temperature,
        seed=seed,
        series=series,
        read=tuple(read or ()),
    )
    if file is None:
        check_without_file(series=series, read=read, as_csv=as_csv)
        run_predict(url, order, as_json=as_json)
        return
    from app.terminal.commands.predict_file import run_predict_after

    run_predict_after(url, order, file, as_csv=as_csv, as_json=as_json)


@cli.command(rich_help_panel=USE)
def models(
    name: Annotated[str | None, typer.Argument(help="Show one model's versions.")] = None,
    *,
    limit: Limit = 100,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """List the models, or the versions of one: what is served, and how good it is."""
    from app.terminal.commands.lists import run_models

    run_models(url, name, limit=limit, as_json=as_json)


@cli.command(rich_help_panel=USE)
def jobs(
    job: Annotated[str | None, typer.Argument(metavar="ID", help="Show one job.")] = None,
    *,
    follow: Annotated[bool, typer.Option(help="Stay until the job has ended.")] = False,
    cancel: Annotated[bool, typer.Option(help="Cancel the job.")] = False,
    limit: Limit = 20,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """List the training jobs, newest first, or show one with its log, follow or cancel it."""
    from app.terminal.commands.lists import run_jobs

    run_jobs(url, job, follow_it=follow, cancel=cancel, limit=limit, as_json=as_json)


@cli.command(rich_help_panel=USE)
def predictions(
    *,
    export: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Write all of them into this file, .csv or .parquet, oldest first."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Of this model alone.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Answered at this time (ISO) or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Answered before this time (ISO).")
    ] = None,
    limit: Limit = 20,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """List what was answered, newest first, or write the log into a file.

    stepahead predictions --model google-stock

    stepahead predictions --export november.parquet --from 2026-11-01T00:00Z
    """
    from app.terminal.commands.predictions import LogOrder, run_predictions

    order = LogOrder(model=model, since=since, until=until)
    run_predictions(url, order, export=export, limit=limit, as_json=as_json)


@cli.command(rich_help_panel=USE)
def sample(
    name: Annotated[str | None, typer.Argument(help="Which one; left out: list them.")] = None,
) -> None:
    """Write a real series as CSV to standard output, to have something to upload.

    The series come with the vega-datasets package (MIT licence): monthly share prices, Seattle
    weather (NOAA, public domain) and US employment (Bureau of Labor Statistics, public domain).

      stepahead sample google > google.csv
    """
    from app.terminal.commands.sample import run_sample

    run_sample(name)


def main() -> None:
    """The console script."""
    # Before NumPy is loaded, and handed on to child processes: matrices here are small, and BLAS
    # threads that wait for each other made them several times slower.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    look_for_garbage_seldom(WHILE_STARTING)  # most of what a command imports is still to come
    try:
        cli()
    except Told as error:
        error.show()
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
