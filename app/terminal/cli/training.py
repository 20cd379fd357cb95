"""Commands that read files and train models on them."""

from pathlib import Path
from typing import Annotated

import typer

from app.terminal.cli.options import (
    LOCAL,
    Changes,
    File,
    Horizon,
    Json,
    Name,
    Preset,
    Read,
    Reference,
    Target,
    Test,
    Url,
)
from app.terminal.commands.piped import file_or_pipe, whole_file

PANEL = "Use a running service"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def train(
    file: File,
    *,
    model: Name = None,
    preset: Preset = None,
    target: Target = None,
    test: Test = None,
    horizon: Horizon = None,
    changes: Changes = None,
    read: Read = None,
    start_from: Annotated[
        int | None, typer.Option(min=1, help="Version of the model whose weights to start from.")
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

    [bold]Newer rows for a known model:[/bold]
    stepahead train february.csv --model prices --extend

    [bold]A field of the recipe:[/bold] --set epochs=50 --set layers=[32,16] --set cell=gru

    Ctrl-C asks whether to leave the job running; `stepahead jobs ID --follow` returns to it.
    """
    from app.terminal.commands.train import TrainingOrder, run_train

    with whole_file(file) as whole:
        order = TrainingOrder(
            file=whole,
            model=model,
            preset=preset,
            target=target,
            test=test,
            horizon=horizon,
            changes=tuple(changes or ()),
            read=tuple(read or ()),
            start_from=start_from,
            extend=extend,
        )
        run_train(url, order, detach=detach, as_json=as_json)


@commands.command(rich_help_panel=PANEL)
def check(
    file: File,
    *,
    read: Read = None,
    column: Annotated[
        str | None, typer.Option(help="Column to plot; by default, the suggested target.")
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Series to plot, if FILE holds several.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Show how FILE is understood and what is unusual about it, doubtful readings first.

    Needs no running service, and stores nothing.

    stepahead check prices.csv --read date_order=dmy

    zcat prices.csv.gz | head -n 1000 | stepahead check -
    """
    from app.terminal.commands.check import run_check

    run_check(file, read or (), column=column, series=series, as_json=as_json)


@commands.command(rich_help_panel=PANEL)
def evaluate(
    model: Reference,
    file: File,
    *,
    network: Annotated[
        str | None,
        typer.Option(
            help="judged: the network from before it was refitted on all rows; served: the one "
            "that answers. By default judged, if it was kept."
        ),
    ] = None,
    read: Read = None,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """Evaluate MODEL on FILE beside the simple forecasts. Rows it was trained on are left out.

    stepahead evaluate google-stock january.csv

    stepahead evaluate my-prices@3 this-year.csv --network served
    """
    from app.terminal.commands.evaluate import EvaluationOrder, run_evaluate

    order = EvaluationOrder(model=model, file=file, network=network, read=tuple(read or ()))
    run_evaluate(url, order, as_json=as_json)


@commands.command(rich_help_panel=PANEL)
def compare(
    file: Annotated[
        Path | None,
        typer.Argument(
            parser=file_or_pipe,
            metavar="FILE",
            help="A CSV or a text; -: standard input. Without FILE, show the newest comparison of "
            "--model.",
        ),
    ] = None,
    *,
    model: Name = None,
    preset: Preset = None,
    target: Target = None,
    test: Test = None,
    horizon: Horizon = None,
    changes: Changes = None,
    read: Read = None,
    detach: Annotated[bool, typer.Option(help="Return once the jobs are accepted.")] = False,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """Train RNN, GRU and LSTM alike on FILE, and compare them with an MLP and simple forecasts.

    Each becomes a version of the model. Only a lead that is more than noise moves the champion.

    stepahead compare prices.csv

    stepahead compare fable.txt --model fable --preset chapter --set test_fraction=0.2

    Ctrl-C leaves the trainings running; `stepahead compare --model NAME` returns to them.
    """
    from app.terminal.commands.compare import run_compare, run_newest
    from app.terminal.commands.train import TrainingOrder

    if file is None:
        run_newest(url, model, as_json=as_json)
        return
    with whole_file(file) as whole:
        order = TrainingOrder(
            file=whole,
            model=model,
            preset=preset,
            target=target,
            test=test,
            horizon=horizon,
            changes=tuple(changes or ()),
            read=tuple(read or ()),
            start_from=None,
        )
        run_compare(url, order, detach=detach, as_json=as_json)


@commands.command(rich_help_panel=PANEL)
def sample(
    name: Annotated[
        str | None, typer.Argument(help="Name of the series; by default, list them.")
    ] = None,
) -> None:
    """Write a real series as CSV to standard output, to have something to upload.

    The series come with the vega-datasets package (MIT licence): monthly share prices, Seattle
    weather (NOAA, public domain) and US employment (Bureau of Labor Statistics, public domain).

      stepahead sample google > google.csv
    """
    from app.terminal.commands.sample import run_sample

    run_sample(name)
