"""Run the command line.

The processes of a service start without the library that parses and describes commands: importing
it took 0.15 s of each.
"""

import os
import sys
from collections.abc import Sequence

from app.process.gc_tuning import WHILE_STARTING, look_for_garbage_seldom
from app.terminal.rendering.problems import CommandError


def main() -> None:
    """Run the console script."""
    # Before NumPy is loaded, and passed on to child processes: matrices here are small, and BLAS
    # threads that wait for each other made them several times slower.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    look_for_garbage_seldom(WHILE_STARTING)  # most of what a command imports is still to come
    try:
        run(sys.argv[1:])
    except CommandError as error:
        error.show()
        sys.exit(error.exit_code)


def run(arguments: Sequence[str]) -> None:
    """Run a command; those that a supervisor or an orchestrator starts need no parser.

    Raises:
        CommandError: the command cannot do what it should.
    """
    match arguments:
        case ["api"] | ["api", "--inherited", _]:
            from app.terminal.service.api import run_api_command

            run_api_command({}, inherited=arguments[2] if len(arguments) > 1 else None)
        case ["worker"]:
            from app.terminal.service.worker import run_worker_command

            run_worker_command(lifeline=None)
        case ["worker", "--lifeline", descriptor] if descriptor.isdecimal():
            from app.terminal.service.worker import run_worker_command

            run_worker_command(lifeline=int(descriptor))
        case _:
            from app.terminal.cli.command_line import cli

            cli()


if __name__ == "__main__":
    main()
