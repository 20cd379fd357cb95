"""`stepahead evaluate` and `stepahead compare`, as they are typed."""

from pathlib import Path
from typing import Annotated

import typer

from app.terminal.options import LOCAL, Changes, Json, Name, Preset, Read, Target, Test, Url


def evaluate(
    model: Annotated[str, typer.Argument(help="NAME, NAME@ALIAS or NAME@VERSION.")],
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A CSV or a text.")
    ],
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
    from app.terminal.evaluating import EvaluationOrder, run_evaluate  # noqa: PLC0415 - see cli

    order = EvaluationOrder(model=model, file=file, network=network, read=tuple(read or ()))
    run_evaluate(url, order, as_json=as_json)


def compare(
    file: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            dir_okay=False,
            readable=True,
            help="A CSV or a text; left out: show the newest comparison of --model.",
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
    from app.terminal.comparing import run_compare, run_newest  # noqa: PLC0415 - see cli
    from app.terminal.training import TrainingOrder  # noqa: PLC0415

    if file is None:
        run_newest(url, model, as_json=as_json)
        return
    order = TrainingOrder(
        file=file,
        model=model,
        preset=preset,
        target=target,
        test=test,
        changes=tuple(changes or ()),
        read=tuple(read or ()),
        start_from=None,
    )
    run_compare(url, order, detach=detach, as_json=as_json)
