"""`stepahead evaluate` and `stepahead compare`, as they are typed."""

from pathlib import Path
from typing import Annotated

import typer

from app.terminal.commands.options import (
    LOCAL,
    Changes,
    File,
    Json,
    Name,
    Preset,
    Read,
    Target,
    Test,
    Url,
)
from app.terminal.commands.piped import file_or_pipe, whole_file


def evaluate(
    model: Annotated[str, typer.Argument(help="NAME, NAME@ALIAS or NAME@VERSION.")],
    file: File,
    *,
    network: Annotated[
        str | None,
        typer.Option(
            help="judged: as it was before it was fitted again on everything; served: the one that "
            "answers. Left out: judged, where it is kept."
        ),
    ] = None,
    read: Read = None,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """Measure MODEL on FILE, beside the simple forecasts. Rows it was trained on are left out.

    stepahead evaluate google-stock january.csv

    stepahead evaluate my-prices@3 this-year.csv --network served
    """
    from app.terminal.commands.evaluate import EvaluationOrder, run_evaluate  # noqa: PLC0415 - see cli

    order = EvaluationOrder(model=model, file=file, network=network, read=tuple(read or ()))
    run_evaluate(url, order, as_json=as_json)


def compare(
    file: Annotated[
        Path | None,
        typer.Argument(
            parser=file_or_pipe,
            metavar="FILE",
            help="A CSV or a text; -: standard input; left out: show the newest comparison of "
            "--model.",
        ),
    ] = None,
    *,
    model: Name = None,
    preset: Preset = None,
    target: Target = None,
    test: Test = None,
    changes: Changes = None,
    read: Read = None,
    detach: Annotated[bool, typer.Option(help="Return once the jobs are accepted.")] = False,
    as_json: Json = False,
    url: Url = LOCAL,
) -> None:
    """Train RNN, GRU and LSTM alike on FILE, and set them beside an MLP and the simple forecasts.

    Each becomes a version of the model; only a lead that is more than noise moves the champion.

    stepahead compare prices.csv

    stepahead compare fable.txt --model fable --preset chapter --set test_fraction=0.2

    Ctrl-C leaves the trainings running; `stepahead compare --model NAME` returns to them.
    """
    from app.terminal.commands.compare import run_compare, run_newest  # noqa: PLC0415 - see cli
    from app.terminal.commands.train import TrainingOrder  # noqa: PLC0415

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
            changes=tuple(changes or ()),
            read=tuple(read or ()),
            start_from=None,
        )
        run_compare(url, order, detach=detach, as_json=as_json)
