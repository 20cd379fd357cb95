"""`stepahead models` and `stepahead jobs`."""

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.terminal.client import Service, place, short
from app.terminal.commands.follow_job import Left, ended_badly, follow, progress_text
from app.terminal.rendering.figures import ago, local_time, skill_figure
from app.terminal.rendering.problems import CommandError, problem_text
from app.terminal.rendering.scorecard import show_version
from app.terminal.rendering.tables import clipped, plain_table
from stepahead.connection import Json

MOST_LINES = 1000  # of a job's log
LONGEST_NAME, LONGEST_VERDICT = 21, 31  # columns of 80
STATUS_STYLE = {"succeeded": "green", "failed": "red", "running": "cyan", "cancelled": "dim"}


def run_models(url: str, name: str | None, *, limit: int, as_json: bool) -> None:
    """Show all models, or the versions of one."""
    console = Console(highlight=False)
    with Service(url) as service:
        if name is not None:
            model = service.get(f"/models/{place(name)}")
            if as_json:
                _print_json(model)
            else:
                _show_model(console, service, model)
            return
        models = service.items("/models", limit=limit)
    if as_json:
        _print_json(models)
    elif models:
        console.print(models_table(models))
    else:
        console.print("No models yet; `stepahead train FILE` makes one.")


def run_jobs(
    url: str, job_id: str | None, *, follow_it: bool, cancel: bool, limit: int, as_json: bool
) -> None:
    """List the jobs, or show, follow or cancel one."""
    console = Console(stderr=as_json, highlight=False)
    if job_id is None:
        if follow_it or cancel:
            raise CommandError("which job? Give its id: stepahead jobs ID --follow")
        with Service(url) as service:
            jobs = service.items("/jobs", limit=limit)
        if as_json:
            _print_json(jobs)
        else:
            console.print(jobs_table(jobs) if jobs else "No jobs yet.")
        return
    with Service(url) as service:
        path = f"/jobs/{place(service.whole_id('/jobs', job_id))}"
        job = service.post(f"{path}/cancel") if cancel else service.get(path)
        if follow_it:
            ended = follow(service, job, console)
            if isinstance(ended, Left):
                console.print(f"Job {job_id}: {ended.value}.")
                return
            job = ended
        lines = [] if as_json else service.items(f"{path}/log", limit=MOST_LINES)
    if as_json:
        _print_json(job)
    else:
        _show_job(console, job)
        _show_log(console, lines)
    badly = ended_badly(job) if follow_it else None
    if badly is not None:
        raise badly


def models_table(models: list[Json]) -> Table:
    """Return the models as a table that fits 80 columns."""
    table = plain_table("model", "kind", "skill", "verdict", "made", right=("skill",))
    for model in models:
        champion = model.get("champion") or {}
        number = f"@{champion['version']}" if champion else ""
        name = clipped(model["name"], LONGEST_NAME - len(number)).append(number)
        name.stylize("bold")
        table.add_row(
            name,
            model["kind"],
            skill_figure(champion.get("skill")),
            _found(champion.get("verdict", "nothing is served")),
            ago(champion.get("created_at")),
        )
    return table


def _show_model(console: Console, service: Service, model: Json) -> None:
    """Show a model's versions, and the figures of its champion."""
    aliases: dict[str, int] = model["aliases"]
    console.print(Text.assemble((model["name"], "bold"), f", kind {model['kind']}"))
    table = plain_table(
        "version", "aliases", "skill", "verdict", "made", right=("version", "skill")
    )
    for version in model["versions"]:
        table.add_row(
            str(version["version"]),
            ", ".join(version["aliases"]),
            skill_figure(version["skill"]),
            _found("deleted" if version["deleted_at"] else version["verdict"]),
            ago(version["created_at"]),
        )
    console.print(table)
    if "champion" in aliases:
        champion = aliases["champion"]
        console.print(f"\nVersion {champion}, the champion", style="bold")
        show_version(console, service.get(f"/models/{model['name']}/versions/{champion}"))


def jobs_table(jobs: list[Json]) -> Table:
    """Return the jobs as a table that fits 80 columns."""
    table = plain_table(
        "job", "model", "status", "version", "progress", "queued", right=("version",)
    )
    for job in jobs:
        table.add_row(
            short(job["id"]),
            clipped(job["model"], LONGEST_NAME),
            Text(job["status"], style=STATUS_STYLE.get(job["status"], "")),
            str(job["version"] or ""),
            Text(progress_text(job)),
            ago(job["created_at"]),
        )
    return table


def _found(verdict: str) -> Text:
    """Return what a verdict found, without the figures, which `stepahead models NAME` shows."""
    found = verdict.partition(":")[0].partition(",")[0].replace("`", "")
    return clipped(found, LONGEST_VERDICT)


def _show_job(console: Console, job: Json) -> None:
    console.print(
        Text.assemble(
            (job["id"], "bold"),
            f" trains {job['model']}: ",
            (job["status"], STATUS_STYLE.get(job["status"], "")),
            f", version {job['version']}" if job["version"] else "",
        )
    )
    if progress_text(job):
        console.print(progress_text(job))
    if job.get("error"):
        console.print(Text(problem_text(job["error"].get("status", 500), job["error"])))


def _show_log(console: Console, lines: list[Json]) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for line in lines:
        table.add_row(Text(local_time(line["at"]), style="dim"), Text(line["text"]))
    console.print(table)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
