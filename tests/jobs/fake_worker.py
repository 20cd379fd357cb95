"""A real worker process; the arguments are the command of its trainer."""

import sys

from app.config import Settings
from app.observability import configure_logging
from app.worker import run_worker


def main() -> None:
    settings = Settings()
    configure_logging(settings)
    assert settings.database_url is not None
    run_worker(settings, settings.database_url, trainer_command=sys.argv[1:])


if __name__ == "__main__":
    main()
