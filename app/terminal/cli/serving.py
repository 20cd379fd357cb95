"""Commands that predict, and commands that list what there is."""

from pathlib import Path
from typing import Annotated

import typer

from app.terminal.cli.options import (
    LOCAL,
    AsCsv,
    File,
    Json,
    Levels,
    Limit,
    OfSeries,
    Read,
    Url,
)
from app.terminal.commands.piped import file_or_pipe

PANEL = "Use a running service"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, context_settings={"ignore_unknown_options": True})
def predict(
    model: Annotated[
        str | None,
        typer.Argument(
            help="NAME, NAME@ALIAS or NAME@VERSION; by default universal, which forecasts any "
            "series."
        ),
    ] = None,
    past: Annotated[
        list[str] | None,
        typer.Argument(help="Numbers, oldest first, or a text; by default standard input."),
    ] = None,
    *,
    horizon: Annotated[int | None, typer.Option(min=1, help="Steps ahead (series).")] = None,
    level: Levels = None,
    steps: Annotated[int, typer.Option(min=1, help="Tokens to write (text).")] = 1,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Alternatives to show (text); by default 5.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 takes the most probable token (text).")
    ] = 0.0,
    seed: Annotated[
        int | None, typer.Option(help="Makes sampling with a temperature repeatable (text).")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            parser=file_or_pipe,
            metavar="FILE",
            help="Predict what comes after this file; -: standard input.",
        ),
    ] = None,
    series: OfSeries = None,
    read: Read = None,
    as_csv: AsCsv = False,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """Predict the next step with MODEL, or that of any series without one.

    cut -d, -f2 prices.csv | stepahead predict

    stepahead predict google-stock 778.81 788.36 786.08

    stepahead predict belling-the-cat "long ago , the" --steps 5

    cut -d, -f2 prices.csv | tail -n 60 | stepahead predict my-prices

    stepahead predict my-prices --file prices.csv --horizon 7 --csv
    """
    from app.terminal.commands.predict import (
        LEVELS,
        PredictionOrder,
        check_without_file,
        model_and_past,
        run_predict,
    )

    asked, given = model_and_past(model, past or ())
    order = PredictionOrder(
        model=asked,
        past=given,
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


@commands.command(rich_help_panel=PANEL)
def forecast(
    file: File,
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="NAME, NAME@ALIAS or NAME@VERSION.")
    ] = "universal",
    target: Annotated[
        str | None,
        typer.Option(help="Column that universal forecasts; by default, the one suggested."),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(min=1, help="Steps ahead; by default, by the frequency of the rows."),
    ] = None,
    level: Levels = None,
    series: OfSeries = None,
    read: Read = None,
    as_csv: AsCsv = False,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """Forecast what comes after FILE, without training.

    stepahead forecast prices.csv --horizon 30 --csv
    """
    from app.terminal.commands.predict import LEVELS, PredictionOrder
    from app.terminal.commands.predict_file import run_predict_after

    order = PredictionOrder(
        model=model,
        horizon=horizon,
        levels=tuple(level or LEVELS),
        series=series,
        read=tuple(read or ()),
        target=target,
    )
    run_predict_after(url, order, file, as_csv=as_csv, as_json=as_json)


@commands.command(rich_help_panel=PANEL)
def models(
    name: Annotated[str | None, typer.Argument(help="Show the versions of this model.")] = None,
    *,
    limit: Limit = 100,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """List the models, or the versions of one: what is served, and how good it is."""
    from app.terminal.commands.lists import run_models

    run_models(url, name, limit=limit, as_json=as_json)


@commands.command(rich_help_panel=PANEL)
def jobs(
    job: Annotated[str | None, typer.Argument(metavar="ID", help="Show this job.")] = None,
    *,
    follow: Annotated[bool, typer.Option(help="Stay until the job has ended.")] = False,
    cancel: Annotated[bool, typer.Option(help="Cancel the job.")] = False,
    limit: Limit = 20,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """List the training jobs, newest first; or show one with its log, follow it, or cancel it."""
    from app.terminal.commands.lists import run_jobs

    run_jobs(url, job, follow_it=follow, cancel=cancel, limit=limit, as_json=as_json)


@commands.command(rich_help_panel=PANEL)
def predictions(
    prediction: Annotated[
        str | None, typer.Argument(metavar="ID", help="Print this one as JSON.")
    ] = None,
    *,
    export: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Write all of them to this file, .csv or .parquet, oldest first."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Of this model only.")] = None,
    key: Annotated[str | None, typer.Option(help="Asked with the key of this name only.")] = None,
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
    """List the answered requests, newest first; or show one, or export them to a file.

    stepahead predictions --model google-stock

    stepahead predictions --export november.parquet --from 2026-11-01T00:00Z
    """
    from app.terminal.commands.predictions import LogOrder, run_predictions, show_prediction

    if prediction is not None:
        show_prediction(url, prediction)
        return
    order = LogOrder(model=model, key=key, since=since, until=until)
    run_predictions(url, order, export=export, limit=limit, as_json=as_json)
