"""A version's measured quality beside the simple forecasts."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.client import Json
from app.terminal.figures import number, percent

JUDGED_ON = {
    "test": "the test file",
    "held-out": "the last part of the file, which it was not trained on",
    "training": "the very rows it was trained on",
}


def show_version(console: Console, version: Json) -> None:
    """Verdict and figures."""
    scorecard: Json = version["scorecard"]
    console.print(Text(scorecard["verdict"]))
    series, text = scorecard.get("series"), scorecard.get("text")
    if series:
        console.print(_series_table(series))
    elif text:
        console.print(_text_table(text))
    console.print(f"Judged on {_judged_on(scorecard)}.", style="dim")
    decision = version.get("decision")
    if decision and scorecard["verdict"] not in decision["reason"]:
        console.print(Text(decision["reason"], style="dim"))


def _series_table(series: Json) -> Table:
    table = Table("one step ahead")
    table.add_column("RMSE", justify="right")
    table.add_column("MAE", justify="right")
    forecasters = {"this model": series["model"], **series["baselines"]}
    for name, errors in forecasters.items():
        style = "bold" if name == "this model" else ""
        table.add_row(name, number(errors["rmse"]), number(errors["mae"]), style=style)
    return table


def _text_table(text: Json) -> Table:
    table = Table("next token")
    table.add_column("bits per token", justify="right")
    table.add_column("right", justify="right")
    tokens, correct = text["tokens"], text["correct"]
    right = f"{correct:,} of {tokens:,} ({percent(correct / tokens)})" if tokens else "–"
    table.add_row("this model", number(text["bits_per_token"]), right, style="bold")
    for name, bits in text["baselines"].items():
        table.add_row(name, number(bits), "")
    return table


def _judged_on(scorecard: Json) -> str:
    series = scorecard.get("series")
    told = JUDGED_ON.get(scorecard["judged_on"], scorecard["judged_on"])
    rows = f", {series['rows']:,} rows" if series else ""
    between = f", {series['start']} to {series['end']}" if series and series.get("start") else ""
    before = "" if scorecard["network"] == "served" else " (before it was fitted again on all rows)"
    return f"{told}{rows}{between}{before}"
