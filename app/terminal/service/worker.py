"""`stepahead worker`."""

from app.jobs.trainer import TrainerUnavailable, why_no_training
from app.process.lifeline import end_with
from app.process.programs import grace_seconds
from app.process.stopping import exit_at_once
from app.terminal.rendering.problems import CommandError
from app.terminal.service.settings import plain_errors, read_settings, required_database_url
from app.worker import run_worker


def run_worker_command(*, lifeline: int | None) -> None:
    """Train until asked to stop."""
    settings = read_settings({})
    url = required_database_url(settings, "worker")
    missing = why_no_training(settings)
    if missing is not None:
        raise CommandError(missing)
    if lifeline is not None:
        end_with(lifeline, grace_seconds=grace_seconds(settings))
    with plain_errors(settings):
        try:
            run_worker(settings, url)
        except TrainerUnavailable as error:
            raise CommandError(str(error)) from error
    exit_at_once()
