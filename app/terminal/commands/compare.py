"""`stepahead compare`: RNN, GRU and LSTM on one file, beside an MLP and the simple forecasts."""

import json
import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from app.terminal.client import NotThere, Service, place
from app.terminal.commands.follow_job import FINAL, PATIENCE_SECONDS, progress_text
from app.terminal.commands.read_flags import read_options
from app.terminal.commands.train import TrainingOrder, form_of, upload
from app.terminal.rendering.figures import duration, measured, percent
from app.terminal.rendering.preflight import show_report
from app.terminal.rendering.problems import CommandError
from app.terminal.rendering.scorecard import SPOKEN, p_value
from app.terminal.rendering.tables import plain_table
from stepahead.connection import Json

LOOK_AGAIN_SECONDS = 1.0
BAR = 8  # characters of the longest bar
BESIDE_TITLE = "beside the best"
BESIDE = {"best": "the best", "worse": "worse", "within noise": "within noise"}


def run_compare(url: str, order: TrainingOrder, *, detach: bool, as_json: bool) -> None:
    """Upload the file, train each cell, follow the jobs, and show the result."""
    # With --json, standard output holds nothing else.
    console = Console(stderr=as_json, highlight=False)
    name = order.name
    with Service(url) as service:
        read = read_options(order.read)
        test = None if order.test is None else upload(service, order.test, read, console)
        dataset = upload(service, order.file, read, console)
        show_report(console, dataset["report"])
        fields = {"dataset": dataset["id"], **form_of(order, test)}
        comparison = service.post_form(f"/models/{place(name)}/compare", fields, {})
        console.print(f"Comparison {comparison['id']} trains three versions of {name}.")
        if not detach:
            comparison = _follow(service, comparison, console)
        _tell(comparison, console, as_json=as_json, detached=detach)


def run_newest(url: str, model: str | None, *, as_json: bool) -> None:
    """Show a model's newest comparison, and follow it until it has ended.

    Raises:
        CommandError: no model is named, or it has no comparison.
    """
    if model is None:
        raise CommandError(
            "which file? Write `stepahead compare FILE`, or --model NAME for the newest comparison"
        )
    console = Console(stderr=as_json, highlight=False)
    with Service(url) as service:
        found = service.get(f"/models/{place(model)}/comparisons", limit=1)["items"]
        if not found:
            raise CommandError(f"{model} has no comparison yet; `stepahead compare FILE` makes one")
        comparison = _follow(service, found[0], console)
        _tell(comparison, console, as_json=as_json, detached=False)


def shown(comparison: Json) -> RenderableType:
    """Return a table of cells and baselines with bars, and the verdict."""
    is_text = comparison["kind"] == "text"
    measure = "bits_per_token" if is_text else "rmse"
    table = plain_table("", "bits per token" if is_text else "RMSE")
    table.columns[1].justify = "right"
    second = "right" if is_text else "MAE"
    for title in ("", second, BESIDE_TITLE, "parameters", "trained in"):
        table.add_column(title, justify="left" if title in {"", BESIDE_TITLE} else "right")
    cells = comparison["cells"]
    every = [cell["figures"][measure] for cell in cells if cell["figures"]]
    every += [each[measure] for each in comparison["baselines"]]
    most = max((each for each in every if each is not None), default=0.0)
    for cell in cells:
        table.add_row(*_cell_row(cell, measure, most), style="bold" if _is_best(cell) else "")
    if comparison["baselines"]:
        table.add_section()
    for each in comparison["baselines"]:
        table.add_row(*_baseline_row(each, measure, most))
    verdict = comparison["verdict"]
    return Group(table, Text(verdict)) if verdict else table


def _cell_row(cell: Json, measure: str, most: float) -> list[str]:
    name = cell["cell"].upper()
    figures = cell["figures"]
    if figures is None:
        problem = (cell.get("error") or {}).get("detail", "")
        return [name, "", problem or progress_text(cell) or cell["status"], "", "", "", ""]
    second = figures["mae"] if measure == "rmse" else figures["accuracy"]
    p = "" if figures["p_value"] is None else f", p {p_value(figures['p_value'])}"
    return [
        f"{name}@{cell['version']}",
        measured(figures[measure]),
        _bar(figures[measure], most),
        percent(second) if measure != "rmse" and second is not None else measured(second),
        f"{BESIDE.get(figures['beside'], figures['beside'] or '')}{p}",
        f"{figures['parameters']:,}",
        duration(figures["training_seconds"]),
    ]


def _baseline_row(each: Json, measure: str, most: float) -> list[str]:
    against = each["best_cell_is"]
    told = "" if against is None else f"best cell: {against['verdict']}"
    name = str(SPOKEN.get(each["name"], each["name"]))
    second = measured(each["mae"]) if measure == "rmse" else ""
    return [name, measured(each[measure]), _bar(each[measure], most), second, told, "", ""]


def _is_best(cell: Json) -> bool:
    return bool(cell["figures"]) and cell["figures"]["beside"] == "best"


def _bar(value: float | None, most: float) -> str:
    return "" if value is None or most <= 0 else "█" * max(1, round(BAR * value / most))


def _follow(service: Service, comparison: Json, console: Console) -> Json:
    """Follow a comparison until all its jobs have ended, or until Ctrl-C; return its last state."""
    if comparison["status"] in FINAL:
        return comparison
    try:
        with Live(shown(comparison), console=console, transient=True) as live:
            for state in _states(service, comparison):
                comparison = state
                live.update(shown(comparison))
    except KeyboardInterrupt:
        console.print("\nLeft running.")
    return comparison


def _states(service: Service, comparison: Json) -> Iterator[Json]:
    path = f"/models/{comparison['model']}/comparisons/{comparison['id']}"
    last_heard = time.monotonic()
    while comparison["status"] not in FINAL:
        time.sleep(LOOK_AGAIN_SECONDS)
        try:
            comparison = service.get(path)
        except NotThere:  # the service may be restarting
            if time.monotonic() - last_heard > PATIENCE_SECONDS:
                raise
            continue
        last_heard = time.monotonic()
        yield comparison


def _tell(comparison: Json, console: Console, *, as_json: bool, detached: bool) -> None:
    if as_json:
        print(json.dumps(comparison, indent=2, ensure_ascii=False))
    elif not detached:
        console.print(shown(comparison))
    if comparison["status"] not in FINAL:
        console.print(f"Return to it with: stepahead compare --model {comparison['model']}")
    elif comparison["status"] == "failed":
        raise CommandError("at least one cell was not trained")
