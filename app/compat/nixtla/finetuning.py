"""Fine-tuning: an ordinary training on the series of a request.

The client waits for the answer and sends the request again if that takes long. So the file's name
holds a digest of the request, and the same request finds the training that it began.
"""

import asyncio
import hashlib
import io
import json
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body
from starlette.requests import Request

from app.compat import own_api
from app.compat.asking import error_of
from app.compat.nixtla.api import HOSTED, OF_SERIES, CompressedRoute
from app.compat.nixtla.schemas import Finetuned, FinetuneRequest
from app.compat.nixtla.times import frequency_of, timestamps
from app.errors import Conflict, InvalidRequest, Unavailable
from app.jobs.events import JobWatch
from app.registry.references import UNIVERSAL
from app.storage.job_status import FINAL, JobStatus

PRESET = "tune"
MOST_SECONDS = 1800.0

router = APIRouter(tags=["Nixtla"], route_class=CompressedRoute)


@router.post(
    "/v2/finetune",
    summary="Train a model on series",
    operation_id="nixtla_finetune",
    responses=OF_SERIES,
)
async def finetune(request: Request, asked: Annotated[FinetuneRequest, Body()]) -> Finetuned:
    """Train a new model, and answer when its first version serves.

    It is the training of `POST /models/NAME/train` with the preset `tune` and at most
    `finetune_steps` epochs, and has its job and its scorecard. The same request
    again answers with the same model.
    """
    if not asked.model.startswith(HOSTED) and asked.model != UNIVERSAL:
        raise InvalidRequest(
            f"model: only timegpt… or {UNIVERSAL} can be fine-tuned; train {asked.model!r} again "
            "with POST /models/NAME/train"
        )
    content = await asyncio.to_thread(_csv, asked)
    digest = hashlib.sha256(b"%d " % asked.finetune_steps + content).hexdigest()[:16]
    filename = f"finetune-{digest}.csv"
    name = asked.output_model_id or f"finetuned-{digest}"
    job = await _earlier(request, name, filename) or await _begun(
        request, asked, name, (filename, content)
    )
    await _ended(request, job)
    return Finetuned(finetuned_model_id=name)


async def _earlier(request: Request, name: str, filename: str) -> UUID | None:
    """Return the job that the same request began, unless it failed.

    Raises:
        Conflict: the model exists, and was trained on something else.
    """
    found = await _json(request, "GET", "jobs", params={"model": name, "limit": 1})
    for job in found["items"]:
        dataset = job["dataset"]
        if dataset is not None and job["status"] not in {"failed", "cancelled"}:
            stored = await _json(request, "GET", "datasets", dataset)
            if stored["filename"] == filename:
                return UUID(job["id"])
    exists = await own_api.call(request, "GET", "models", name)
    if exists.is_success:
        raise Conflict(f"there is a model {name!r} already; choose another output_model_id")
    return None


async def _begun(
    request: Request, asked: FinetuneRequest, name: str, upload: tuple[str, bytes]
) -> UUID:
    recipe = {"preset": PRESET, "tune_epochs": asked.finetune_steps}
    form = [
        ("file", upload),
        ("target", (None, "y")),
        ("recipe", (None, json.dumps(recipe))),
    ]
    job = await _json(request, "POST", "models", name, "train", files=form)
    return UUID(job["id"])


async def _ended(request: Request, job_id: UUID) -> None:
    """Wait for a job, as long as the client does.

    Raises:
        StepaheadError: it failed or was cancelled, takes too long, or this process is to end.
    """
    watch: JobWatch = request.app.state.job_watch
    last = time.monotonic() + MOST_SECONDS
    async with aclosing(watch.changes(job_id)) as changes:
        async for job in changes:
            if job is None:
                if time.monotonic() > last or await request.is_disconnected():
                    break
            elif job.status == JobStatus.SUCCEEDED:
                return
            elif job.error is not None:
                raise error_of(job.error.model_dump(), where=f"job {job_id} failed: ")
            elif job.status in FINAL:
                raise Conflict(f"job {job_id} was {job.status}")
    raise Unavailable(
        f"job {job_id} goes on; the same request waits for it", retry_after_seconds=60
    )


async def _json(request: Request, method: str, *path: str, **content: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = await own_api.call(request, method, *path, **content)
    found: dict[str, Any] = answer.json()
    if answer.is_error:
        raise error_of({"errors": [], **found})
    return found


def _csv(asked: FinetuneRequest) -> bytes:
    """Return the series as a file."""
    written = io.StringIO()
    written.write("unique_id,ds,y\n")
    for row in _rows(asked):
        written.write(row)
    return written.getvalue().encode()


def _rows(asked: FinetuneRequest) -> Iterator[str]:
    """Yield the lines; the client sends no names, so a series is called by its place.

    Raises:
        InvalidRequest: the series have no times.
    """
    starts, frequency = asked.series.start_datetime, frequency_of(asked.freq)
    if starts is None or frequency is None or len(starts) != len(asked.series.sizes):
        raise InvalidRequest(
            "start_datetime: a training needs the time of each series' first row, and a freq that "
            "is known here"
        )
    values = iter(asked.series.y)
    for place, (start, size) in enumerate(zip(starts, asked.series.sizes, strict=True)):
        for at in timestamps(start, frequency, size):
            value = next(values)
            yield f"{place},{at},{'' if value is None else repr(value)}\n"
