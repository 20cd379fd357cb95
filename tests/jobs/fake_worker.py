"""Run a real worker process; the arguments are the command of its trainer."""

import shlex
import sys

from app.config import Settings
from app.process.observability import configure_logging
from app.worker import run_worker


def main() -> None:
    settings = Settings(trainer_command=shlex.join(sys.argv[1:]))
    configure_logging(settings)
    assert settings.database_url is not None
    run_worker(settings, settings.database_url)


if __name__ == "__main__":
    main()
