"""A version's measured quality beside the simple forecasts."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.rendering.figures import measured, percent
from app.terminal.rendering.tables import plain_table
from stepahead.connection import Json

JUDGED_ON = {
    "test": "the test file",
    "held-out": "the last part of the file, which it was not trained on",
    "training": "the same rows it was trained on",
}
SPOKEN = {
    "seasonal_naive": "seasonal naive",
    "linear_autoregression": "linear autoregression",
    "mlp": "multilayer perceptron",
}
SHOWN_LEVELS = (80, 95)
LEAST_P = 0.001  # smaller p-values are shown as less than this
SHOWN_STEPS = 8  # of the horizon, in the table by step


def show_version(console: Console, version: Json) -> None:
    """Show a version's verdict and figures."""
    scorecard: Json = version["scorecard"]
    console.print(Text(scorecard["verdict"]))
    series, text = (_shown(scorecard, kind) for kind in ("series", "text"))
    if series:
        console.print(_series_table(series))
        if len(series["steps"]) > 1:
            console.print(_step_table(series))
    elif text:
        console.print(_text_table(text))
    console.print(f"Judged on {_judged_on(scorecard)}.", style="dim")
    for note in scorecard["notes"]:
        console.print(Text(f"Note: {note}", style="dim"))
    if series and (intervals := (series["all_steps"] or series)["intervals"]):
        console.print(_coverage(intervals), style="dim")
    decision = version.get("decision")
    if decision and scorecard["verdict"] not in decision["reason"]:
        console.print(Text(decision["reason"], style="dim"))


def _shown(scorecard: Json, kind: str) -> Json | None:
    """Return the scores of a kind, without comparisons if nothing was held out."""
    scores: Json | None = scorecard.get(kind)
    if scores is None or scorecard["judged_on"] != "training":
        return scores
    whole = scores.get("all_steps")
    return {**scores, "against": {}, "all_steps": whole and {**whole, "against": {}}}


def _series_table(series: Json) -> Table:
    """Return the errors over the horizon, and beside them those of the first step alone."""
    whole = series["all_steps"] or series
    horizon = series["steps"][-1]["step"] if series["steps"] else 1
    table = plain_table(f"over {horizon} steps ahead" if horizon > 1 else "one step ahead")
    table.add_column("RMSE", justify="right")
    table.add_column("MAE", justify="right")
    if horizon > 1:
        table.add_column("first step", justify="right")
    table.add_column("this model compared")
    first = {"this model": series["model"], **series["baselines"]}
    for name, errors in {"this model": whole["model"], **whole["baselines"]}.items():
        table.add_row(
            SPOKEN.get(name, name),
            measured(errors["rmse"]),
            measured(errors["mae"]),
            *([measured(first[name]["rmse"]) if name in first else ""] if horizon > 1 else []),
            _beside(whole["against"].get(name)),
            style="bold" if name == "this model" else "",
        )
    return table


def _step_table(series: Json) -> Table:
    """Return the errors by step ahead, of a few steps evenly spread over the horizon."""
    steps = series["steps"]
    chosen = sorted({round(n * (len(steps) - 1) / (SHOWN_STEPS - 1)) for n in range(SHOWN_STEPS)})
    shown = [steps[n] for n in chosen]
    table = plain_table("RMSE by step ahead")
    for each in shown:
        table.add_column(str(each["step"]), justify="right")
    best = _best_baseline(series)
    for name in dict.fromkeys(("this model", best, "persistence")):
        errors = [
            each["model"] if name == "this model" else each["baselines"].get(name) for each in shown
        ]
        figures = ["" if each is None else measured(each["rmse"]) for each in errors]
        table.add_row(
            SPOKEN.get(name, name), *figures, style="bold" if name == "this model" else ""
        )
    return table


def _best_baseline(series: Json) -> str:
    """Return the name of the simple forecast with the least error over the horizon."""
    baselines: dict[str, Json] = (series["all_steps"] or series)["baselines"]
    return min(baselines, key=lambda name: float(baselines[name]["rmse"]))


def _coverage(intervals: list[Json]) -> str:
    """Return which share of the judged rows the intervals covered."""
    told = [
        f"{percent(each['coverage'])} at {each['level']} %"
        for each in intervals
        if each["level"] in SHOWN_LEVELS
    ]
    return f"Its intervals covered {' and '.join(told)} of these rows."


def _text_table(text: Json) -> Table:
    table = plain_table("next token")
    own = text["bits_per_character"] if text["bits_per_token"] else None
    # Comparable whatever the tokens are; older scorecards lack them.
    scale = 1.0 if own is None else own / text["bits_per_token"]
    unit = "token" if own is None else "character"
    table.add_column(f"bits per {unit}", justify="right")
    table.add_column("right", justify="right")
    table.add_column("this model compared")
    tokens, correct = text["tokens"], text["correct"]
    right = f"{correct:,} of {tokens:,} ({percent(correct / tokens)})" if tokens else "–"
    table.add_row("this model", _scaled(text["bits_per_token"], scale), right, "", style="bold")
    for name, bits in text["baselines"].items():
        beside = _beside(text["against"].get(name))
        spoken = f"best n-gram (order {text['ngram_order']})" if name == "ngram" else name
        table.add_row(SPOKEN.get(spoken, spoken), _scaled(bits, scale), "", beside)
    return table


def _scaled(bits: float | None, scale: float) -> str:
    return measured(None if bits is None else bits * scale)


def _beside(against: Json | None) -> str:
    """Return how the model compares with a baseline, and whether that may be noise."""
    if against is None or against["skill"] is None:
        return "" if against is None else against["verdict"]
    skill = f"{percent(abs(against['skill']))} {'better' if against['skill'] > 0 else 'worse'}"
    if against["verdict"] == "within noise":
        return f"{skill}, within noise"
    p = against["p_value"]
    return f"{skill}, cannot be tested" if p is None else f"{skill}, p {p_value(p)}"


def p_value(value: float) -> str:
    """Return a p-value with its relation sign."""
    return "< 0.001" if value < LEAST_P else f"= {value:.2g}"


def _judged_on(scorecard: Json) -> str:
    series = scorecard.get("series")
    told = JUDGED_ON.get(scorecard["judged_on"], scorecard["judged_on"])
    rows = f", {series['rows']:,} rows" if series else ""
    between = f", {series['start']} to {series['end']}" if series and series.get("start") else ""
    before = "" if scorecard["network"] == "served" else " (before it was refitted on all rows)"
    return f"{told}{rows}{between}{before}"
