"""`stepahead train`: upload a file, train a model, and show how good it is."""

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from app.terminal.client import Service, place
from app.terminal.commands.continuation import question_after
from app.terminal.commands.follow_job import Left, ended_badly, follow
from app.terminal.commands.other_series import show_others
from app.terminal.commands.piped import whole_file
from app.terminal.commands.predict import LEVELS, show_answer
from app.terminal.commands.read_flags import read_options
from app.terminal.rendering.preflight import show_report
from app.terminal.rendering.problems import CommandError
from app.terminal.rendering.scorecard import show_version
from stepahead.connection import Json

NOT_IN_A_NAME = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True, kw_only=True)
class TrainingOrder:
    """What the user asked for."""

    file: Path
    model: str | None
    preset: str | None
    target: str | None
    test: Path | None
    changes: Sequence[str]  # FIELD=VALUE
    read: Sequence[str]  # OPTION=VALUE
    start_from: int | None  # a version of the model
    horizon: int | None = None  # steps ahead; None: the service's choice
    extend: bool = False  # join the file to the model's last dataset

    @property
    def name(self) -> str:
        """Name of the model; by default, the name of the file."""
        return self.model or model_name(self.file)

    def recipe(self) -> Json:
        """Return the recipe to send; empty to leave it to the service."""
        named = {"preset": self.preset, "horizon": self.horizon}
        given = {name: value for name, value in named.items() if value is not None}
        return {**given, **assignments(self.changes, option="--set")}


def run_train(url: str, order: TrainingOrder, *, detach: bool, as_json: bool) -> None:
    """Upload, train, follow, show the result, and predict."""
    # With --json, standard output holds nothing else.
    console = Console(stderr=as_json, highlight=False)
    name = order.name
    with Service(url) as service:
        read = read_options(order.read)
        test = None if order.test is None else upload(service, order.test, read, console)
        if order.extend:
            job, dataset = extend(service, order, read, test, console)
        else:
            dataset = upload(service, order.file, read, console)
            show_report(console, dataset["report"])
            fields = {"dataset": dataset["id"], **form_of(order, test)}
            job = service.post_form(f"/models/{place(name)}/train", fields, {})
        target = "" if job["target"] is None else f" to predict {job['target']}"
        console.print(f"Job {job['id']} trains {name}{target}.", markup=False)
        ended = None if detach else follow(service, job, console)
        if ended is None or isinstance(ended, Left):
            result = job
            if ended is not Left.CANCELLED:
                console.print(
                    f"It continues. Return to it with: stepahead jobs {job['id']} --follow"
                )
            else:
                console.print("It is cancelled.")
        else:
            badly = ended_badly(ended)
            if badly is not None:
                raise badly
            result = ended
            question = question_after(dataset, order.file, read)
            show_result(service, ended, question, dataset["report"], console)
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))


def upload(service: Service, path: Path, read: Json, console: Console) -> Json:
    """Upload a file with a progress bar; return the dataset."""
    fields = {"read": json.dumps(read)} if read else {}
    return send(service, "/datasets", fields, path, console)


def extend(
    service: Service, order: TrainingOrder, read: Json, test: Json | None, console: Console
) -> tuple[Json, Json]:
    """Order a training on the model's last dataset joined with the file.

    Returns:
        The job, and the joined dataset.
    """
    fields = {"extend": "true", **({"read": json.dumps(read)} if read else {})}
    path = f"/models/{place(order.name)}/train"
    job = send(service, path, {**fields, **form_of(order, test)}, order.file, console)
    whole = service.get(f"/datasets/{job['dataset']}")
    show_report(console, whole["report"])
    return job, whole


def send(service: Service, path: str, fields: dict[str, str], file: Path, console: Console) -> Json:
    """Send POST with a form and one file, with a progress bar."""
    with whole_file(file) as whole, Progress(console=console, transient=True) as progress:
        description = f"sending {whole.name}"
        with progress.open(whole, "rb", description=description) as opened:
            return service.post_form(path, fields, {"file": (whole.name, opened)})


def form_of(order: TrainingOrder, test: Json | None) -> dict[str, str]:
    """Return the fields of `POST /models/{name}/train` except the data."""
    recipe = order.recipe()
    fields = {
        "target": order.target,
        "recipe": json.dumps(recipe) if recipe else None,
        "test": None if test is None else test["id"],
        "start_from": None if order.start_from is None else str(order.start_from),
    }
    return {name: value for name, value in fields.items() if value is not None}


def show_result(
    service: Service, job: Json, question: tuple[str, Json], report: Json, console: Console
) -> None:
    """Show the new version's figures, its next forecasts, and the call that repeats the first."""
    version = service.get(f"/models/{job['model']}/versions/{job['version']}")
    target = "" if job["target"] is None else f", which predicts {job['target']}"
    told = f"\nVersion {job['version']} of {job['model']}{target}"
    console.print(told, style="bold", markup=False)
    show_version(console, version)
    told, fields = question
    body = {"model": f"{job['model']}@{job['version']}", **fields}
    if (version["manifest"].get("series") or {}).get("intervals"):
        body["levels"] = list(LEVELS)
    console.print(f"\nWhat comes after {told}:", style="bold", markup=False)
    show_answer(console, service.post("/predict", body))
    if "series" in body:
        show_others(service, body, report, console)
    console.print("\nThe same as a call:", style="bold")
    console.print(curl(service, body), soft_wrap=True, markup=False)


def curl(service: Service, body: Json) -> str:
    """Return the curl command for a prediction."""
    key = ' \\\n  -H "Authorization: Bearer $STEPAHEAD_API_KEY"' if service.has_key else ""
    written = shlex.quote(json.dumps(body, ensure_ascii=False))
    return (
        f"curl -s {service.url}/predict -H 'content-type: application/json'{key} \\\n  -d {written}"
    )


def assignments(texts: Iterable[str], *, option: str) -> dict[str, Any]:
    """Parse `epochs=50` as JSON; a value that is not JSON is taken as a word.

    Raises:
        CommandError: one has no `=`.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise CommandError(
                f"{option} takes NAME=VALUE, for example {option} epochs=50; got {text!r}"
            )
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def model_name(path: Path) -> str:
    """Derive a valid model name from the name of a file.

    Raises:
        CommandError: no character of the file's name can be used.
    """
    name = NOT_IN_A_NAME.sub("-", path.stem.lower()).strip("-.")
    if not name:
        raise CommandError(
            f"the name {path.name!r} cannot be used for a model: give one with --model"
        )
    return name
