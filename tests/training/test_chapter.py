"""Reproduce the chapter's results from its own data."""

import csv
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from app.reading.content import SeriesContent, TextContent
from tests.training.runs import Train

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the chapter's data lies beside the repository, not in it"
)


def prices(name: str) -> SeriesContent:
    """Return dates and prices of one of the chapter's files."""
    with (DATA / name).open(newline="") as file:
        header, *rows = csv.reader(file)
    values = [[float(cell.replace(",", "")) for cell in row[1:]] for row in rows]
    times = [datetime.strptime(row[0], "%m/%d/%Y") for row in rows]  # noqa: DTZ007
    return SeriesContent(
        columns=tuple(name.strip() for name in header[1:]),
        values=np.array(values),
        times=np.array(times, dtype="datetime64[us]"),
        offsets=None,
        time_form="date",
        frequency="B",
        labels=("",),
        series=np.zeros(len(rows), np.int32),
    )


def test_the_stock_model_learns_its_prices_and_loses_to_the_last_one(train: Train) -> None:
    artifact = train(
        prices("google_stock_train.csv"),
        {"preset": "chapter"},
        test=prices("google_stock_test.csv"),
        target="Open",
    )
    card = artifact.scorecard
    assert card.final_loss <= 3e-4
    assert card.series is not None
    assert card.series.rows == 19
    assert (card.series.start, card.series.end) == ("2017-01-04", "2017-01-31")
    assert card.series.baselines["persistence"].rmse == pytest.approx(8.587, abs=5e-4)
    assert card.series.model.rmse == pytest.approx(15.4, abs=0.5)
    assert card.skill == pytest.approx(-0.79, abs=0.06)
    assert card.verdict.startswith("worse than ")
    assert "the best baseline: RMSE 15." in card.verdict
    assert card.verdict.endswith("use it, without training")


def test_its_last_year_held_out_it_loses_too(train: Train) -> None:
    card = train(prices("google_stock_train.csv"), {"preset": "chapter", "refit": False}).scorecard
    assert card.series is not None
    assert card.series.rows == 252
    assert card.series.baselines["persistence"].rmse == pytest.approx(9.85, abs=0.01)
    assert card.series.model.rmse == pytest.approx(23.1, abs=1.0)


def test_the_fable_model_gets_199_of_201_contexts_right(train: Train) -> None:
    text = TextContent(text=(DATA / "belling_the_cat.txt").read_text())
    artifact = train(text, {"preset": "chapter"})
    assert artifact.manifest.text is not None
    assert len(artifact.manifest.text.vocabulary) == 112
    assert artifact.scorecard.text is not None
    assert artifact.scorecard.text.tokens == 201
    assert artifact.scorecard.text.correct >= 199
