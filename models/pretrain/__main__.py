"""Train the universal network on made-up series.

    python -m models.pretrain --minutes 120 --checkpoints FOLDER [--output models/universal/1]

When it is run again with the same folder, it continues from the newest checkpoint; with more
minutes, it continues training.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, then write the artifact."""
    parser = argparse.ArgumentParser(
        prog="python -m models.pretrain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder, made if absent")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, help="of training")
    length.add_argument("--updates", type=int, help="instead of minutes: exactly repeatable")
    parser.add_argument("--output", type=Path, help="folder of the artifact to write at the end")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--units", type=int, default=128, help="of each LSTM layer")
    parser.add_argument("--hidden", type=int, default=192, help="of the layer before the output")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(options.threads))
    from models.pretrain.loop import Loop
    from models.pretrain.plan import Plan
    from models.pretrain.publish import publish

    options.checkpoints.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        seed=options.seed,
        minutes=options.minutes,
        updates=options.updates,
        units=options.units,
        hidden=options.hidden,
        learning_rate=options.learning_rate,
    )
    loop = Loop(plan, options.checkpoints, say=lambda line: print(line, flush=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    loop.run()
    if loop.stopping:
        print(f"stopped after {loop.progress.updates} updates; run again to go on")
        return 0
    for name, loss in loop.validate().items():
        print(f"validation, {name}: {loss:.4f}")
    if options.output is not None:
        progress = loop.progress
        publish(
            options.output,
            loop.averaged(),
            plan,
            updates=progress.updates,
            seconds=progress.seconds,
        )
        print(f"written: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
