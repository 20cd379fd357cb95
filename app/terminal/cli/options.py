"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from app.terminal.commands.piped import file_or_pipe

LOCAL = "http://127.0.0.1:8000"
Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="STEPAHEAD_URL",
        help="Address of the service. If it needs a key, set STEPAHEAD_API_KEY.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the service's own JSON.")]
Levels = Annotated[
    list[int] | None,
    typer.Option(
        "--level",
        min=50,
        max=99,
        help="Level of an interval in % (series); may be repeated; by default 80 and 95.",
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many to show.")]
Inherited = Annotated[int | None, typer.Option(hidden=True, help="An inherited file descriptor.")]
Listen = Annotated[str | None, typer.Option(help="Address to listen on [STEPAHEAD_HOST].")]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port to listen on, 0 for any free one [STEPAHEAD_PORT]."),
]
Read = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="OPTION=VALUE",
        help="Overrule how the file is read, for example --read decimal=, or --read date=Day. "
        "Options: kind, date, date_order, decimal, delimiter, encoding, header, layout, series, "
        "sheet, frequency, duplicates, gaps, text.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Name of the model; by default, the name of the file."),
]
Preset = Annotated[
    str | None, typer.Option(help="Recipe to start from: default or chapter. See GET /recipes.")
]
Target = Annotated[
    str | None, typer.Option(help="Column to predict; by default, the one the report suggests.")
]
File = Annotated[
    Path,
    typer.Argument(parser=file_or_pipe, metavar="FILE", help="A CSV or a text; -: standard input."),
]
Test = Annotated[
    Path | None,
    typer.Option(parser=file_or_pipe, metavar="FILE", help="A second file to judge the model on."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field of the recipe."),
]
OfSeries = Annotated[
    str | None, typer.Option(help="Series of FILE to forecast; by default, all of them.")
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
Horizon = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1000,
        help="Steps ahead to forecast (series); left out: by the frequency of the rows, as 12 "
        "months or 14 days.",
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder for everything that is kept [STEPAHEAD_DATA_DIR].")
]
Backup = Annotated[
    str, typer.Argument(metavar="FILE|URL", help="A file, or s3://bucket/name (gs://, az://).")
]
Reference = Annotated[str, typer.Argument(help="NAME, NAME@ALIAS or NAME@VERSION.")]
