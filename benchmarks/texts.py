"""Measure the default recipe on texts: bits per character on the last tenth.

Beside it stand the best n-gram (interpolated Kneser-Ney, its order chosen on the same validation
text), the trigram, and a character LSTM of 256 units written the ordinary way in Keras, which gets
the processor time of the whole training. The texts are those of `benchmarks.parts.scripts`, and the
file of Shakespeare's plays if it is there.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from app.artifact.files import read_artifact
from app.artifact.scorecard import TextScore
from app.jobs.messages import Progress, TrainingRequest
from app.reading.content import TextContent
from app.recipes.resolve import resolve_recipe
from app.training.run import run_training
from benchmarks.figures import Figure, Outcome, Reference, Table, at_most, number, run_alone
from benchmarks.parts.keras_text import bits_per_character
from benchmarks.parts.scripts import ARABIC, CHINESE, HINDI, generated, log, prose, source

SHAKESPEARE = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare.txt"
NATS_PER_BIT = 0.6931471805599453
WANTED_NATS = 1.50
QUICK_CHARACTERS = 10_000
COLUMNS = ("text", "characters", "default", "best n-gram", "trigram", "Keras", "processor time")


class Silent:
    """A control that ignores progress and never stops."""

    def progress(self, progress: Progress) -> None:
        """Ignore progress."""

    def checkpoint(self, path: Path) -> None:
        """Ignore checkpoints."""

    def check(self) -> None:
        """Never stop."""


def measure(*, quick: bool = False) -> Iterator[Outcome]:
    """Yield a figure for each text, and the table of all."""
    rows = []
    for name, text in texts():
        given = text[:QUICK_CHARACTERS] if quick else text
        score, seconds = trained(given, quick=quick)
        own, ngram = (score.per_character(bits) for bits in (score.bits_per_token, _ngram(score)))
        if own is None or ngram is None:
            raise ValueError(f"{name} was not judged")
        keras = bits_per_character(given, judged_share=0.1, seconds=seconds)
        yield Figure(
            name=name,
            value=own,
            unit="bits/character",
            reference=Reference(name=f"best n-gram, order {score.ngram_order}", value=ngram),
            wanted=at_most(1.0),
            note=f"{number(keras)} in Keras, {seconds:.0f} s of processor time each",
        )
        if name == SHAKESPEARE.stem:
            nats = own * NATS_PER_BIT
            yield Figure(name=f"{name}, nats", value=nats, unit="nats", wanted=at_most(WANTED_NATS))
        trigram = score.per_character(score.baselines["trigram"])
        figures = (own, ngram, trigram or float("nan"), keras)
        shown = tuple(f"{figure:.3f}" for figure in figures)
        rows.append((name, f"{len(given):,}", *shown, f"{seconds:.0f} s"))
    yield Table(title="Bits per character on the last tenth", columns=COLUMNS, rows=tuple(rows))


def texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of each."""
    if SHAKESPEARE.is_file():
        yield SHAKESPEARE.stem, SHAKESPEARE.read_text(encoding="utf-8")
    yield "Python's documentation", prose()
    yield "Python's source code", source()
    yield "a log", log()
    yield "Chinese, generated", generated(CHINESE)
    yield "Arabic, generated", generated(ARABIC)
    yield "Hindi, generated", generated(HINDI)


def trained(text: str, *, quick: bool) -> tuple[TextScore, float]:
    """Return the scorecard of the default recipe, and the processor time of the whole training."""
    recipe = resolve_recipe("text", {"epochs": 1} if quick else None)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "dataset").write_bytes(TextContent(text=text).to_bytes())
        for part in ("output", "checkpoints"):
            (folder / part).mkdir()
        run_training(
            TrainingRequest(
                model="text",
                recipe=recipe,
                dataset=folder / "dataset",
                dataset_id=None,
                dataset_sha256=sha256(text.encode()).hexdigest(),
                target=None,
                output_dir=folder / "output",
                checkpoint_dir=folder / "checkpoints",
                test=None,
            ),
            Silent(),
        )
        _, scorecard = read_artifact(folder / "output")
    if scorecard.text is None:
        raise TypeError("a text was judged as a series")
    return scorecard.text, time.process_time() - started


def _ngram(score: TextScore) -> float | None:
    return score.baselines["ngram"]


if __name__ == "__main__":
    sys.exit(run_alone(measure))
