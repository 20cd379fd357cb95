"""Train the versions that come with Stepahead, from the chapter's own data.

    python models/make.py --prices train.csv --prices-test test.csv --fable fable.txt

With the same data and machine, the files are the same bytes except for the times in
`manifest.json`. The data itself is not copied: the artifacts contain weights, figures and, for the
fable, its vocabulary.
"""

import argparse
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.artifact.files import read_artifact
from app.jobs.messages import Progress, TrainingRequest
from app.reading.content import DatasetContent, TextContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from app.recipes.recipe import Kind
from app.recipes.resolve import resolve_recipe
from app.training.run import run_training

MODELS = Path(__file__).resolve().parent
# The chapter's first network: one character in, the next one out, three units.
HELLO_RECIPE: dict[str, Any] = {
    "preset": "chapter",
    "tokenizer": "char",
    "cell": "rnn",
    "layers": [3],
    "reading": "stream",
    "window": None,
    "truncate": 4,
    "batch_size": 1,
    "epochs": 300,
    "learning_rate": 0.03,
}


@dataclass(frozen=True, kw_only=True)
class Data:
    """A dataset and the sha256 of the bytes it was read from."""

    content: DatasetContent
    sha256: str


class Silent:
    """A control that ignores progress and never stops."""

    def progress(self, progress: Progress) -> None:
        """Ignore progress."""

    def checkpoint(self, path: Path) -> None:
        """Ignore checkpoints."""

    def check(self) -> None:
        """Never stop."""


def main() -> None:
    """Train all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prices", type=Path, required=True, help="daily stock prices to train on")
    parser.add_argument("--prices-test", type=Path, required=True, help="the month after them")
    parser.add_argument("--fable", type=Path, required=True, help="the fable's text")
    parser.add_argument("--output", type=Path, default=MODELS, help="where the models go")
    arguments = parser.parse_args()
    output = arguments.output
    prices, test = read(arguments.prices, "series"), read(arguments.prices_test, "series")
    make(output, "google-stock", prices, {"preset": "chapter"}, target="Open", test=test)
    make(output, "belling-the-cat", read(arguments.fable, "text"), {"preset": "chapter"})
    hello = TextContent(text="hello")
    make(output, "hello", Data(content=hello, sha256=digest(b"hello")), HELLO_RECIPE)


def read(path: Path, kind: Kind) -> Data:
    """Read a file as an upload would be read."""
    result = read_file(path, path.name, ReadOptions(kind=kind))
    return Data(content=result.content, sha256=digest(path.read_bytes()))


def make(
    output: Path,
    name: str,
    data: Data,
    recipe: dict[str, Any],
    *,
    target: str | None = None,
    test: Data | None = None,
) -> None:
    """Train version 1 of a model and put it in its place."""
    kind: Kind = "text" if isinstance(data.content, TextContent) else "series"
    final = output / name / "1"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "dataset").write_bytes(data.content.to_bytes())
        if test is not None:
            (folder / "test").write_bytes(test.content.to_bytes())
        for part in ("output", "checkpoints"):
            (folder / part).mkdir()
        run_training(
            TrainingRequest(
                model=name,
                recipe=resolve_recipe(kind, recipe),
                dataset=folder / "dataset",
                dataset_id=None,
                dataset_sha256=data.sha256,
                target=target,
                output_dir=folder / "output",
                checkpoint_dir=folder / "checkpoints",
                test=None if test is None else folder / "test",
            ),
            Silent(),
        )
        shutil.rmtree(final, ignore_errors=True)
        shutil.copytree(folder / "output", final)
    _, scorecard = read_artifact(final)
    print(f"{name}: {scorecard.verdict}")


def digest(data: bytes) -> str:
    """Return the sha256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    main()
