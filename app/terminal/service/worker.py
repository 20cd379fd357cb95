"""`stepahead worker`."""

from app.jobs.trainer import TrainerUnavailable
from app.process.lifeline import end_with
from app.process.programs import grace_seconds
from app.terminal.rendering.problems import Told
from app.terminal.service.settings import read_settings, required_database_url, told_plainly
from app.worker import run_worker


def run_worker_command(*, lifeline: int | None) -> None:
    """Train until asked to stop."""
    settings = read_settings({})
    url = required_database_url(settings, "worker")
    if lifeline is not None:
        end_with(lifeline, grace_seconds=grace_seconds(settings))
    with told_plainly(settings):
        try:
            run_worker(settings, url)
        except TrainerUnavailable as error:
            raise Told(str(error)) from error
