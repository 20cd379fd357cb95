"""A real worker process whose trainer is the fake one: arguments are TRAINER_LOG EPOCH_SECONDS."""

import sys

from app.config import Settings
from app.observability import configure_logging
from app.worker import run_worker


def main() -> None:
    log, epoch_seconds = sys.argv[1:]
    settings = Settings()
    configure_logging(settings)
    command = [sys.executable, "-m", "tests.jobs.fake_trainer"]
    assert settings.database_url is not None
    run_worker(
        settings,
        settings.database_url,
        trainer_command=[*command, "--log", log, "--epoch-seconds", epoch_seconds],
    )


if __name__ == "__main__":
    main()
