"""Build manifests and scorecards for tests.

Nothing here imports the database: fake trainers start with this module about forty times per run,
and importing SQLAlchemy takes half as long as everything else that they need.
"""

from datetime import UTC, datetime
from typing import Any

from app.artifact.manifest import Feature, Manifest, SeriesInput, TextInput
from app.artifact.scorecard import Errors, Scorecard, SeriesScore, TextScore
from app.recipes.presets import presets


def series_manifest(
    *,
    features: tuple[str, ...] = ("Open",),
    target: str = "Open",
    **changes: Any,  # noqa: ANN401
) -> Manifest:
    return Manifest(
        **{
            "kind": "series",
            "recipe": presets("series")["chapter"],
            "window": 1,
            "min_history": 1,
            "horizon": 1,
            "series": SeriesInput(
                features=tuple(Feature(name=name, low=0.0, high=1.0) for name in features),
                target=target,
                frequency="B",
                time_form="date",
                never_negative=True,
            ),
            "refitted": True,
            "parity": 0.0,
            "dataset_id": "D",
            "seed": 0,
            "trained_at": datetime(2026, 1, 1, tzinfo=UTC),
            "training_seconds": 1.0,
            **changes,
        }
    )


def text_manifest(
    *,
    vocabulary: tuple[str, ...] = ("a", "b"),
    unknown: str | None = None,
    **changes: Any,  # noqa: ANN401
) -> Manifest:
    return series_manifest(
        **{
            "kind": "text",
            "recipe": presets("text")["chapter"],
            "series": None,
            "text": TextInput(
                tokenizer=changes.pop("tokenizer", "word"),
                vocabulary=vocabulary,
                unknown=unknown,
                reading="window",
            ),
            **changes,
        }
    )


def series_scorecard(*, rmse: float = 2.0, rows: int = 100, **changes: Any) -> Scorecard:  # noqa: ANN401
    return Scorecard(
        **{
            "judged_on": "held-out",
            "network": "judged",
            "verdict": f"RMSE {rmse}",
            "skill": None,
            "final_loss": 0.1,
            "best_epoch": 1,
            "series": SeriesScore(
                rows=rows,
                start="2017-01-01",
                end=changes.pop("end", "2017-05-01"),
                model=Errors(rmse=rmse, mae=rmse),
                baselines={"persistence": Errors(rmse=1.0, mae=1.0)},
                curve=changes.pop("curve", ()),
            ),
            **changes,
        }
    )


def text_scorecard(*, bits: float | None = 2.0, tokens: int = 100, **changes: Any) -> Scorecard:  # noqa: ANN401
    return series_scorecard(
        series=None,
        text=TextScore(tokens=tokens, correct=1, bits_per_token=bits, baselines={"trigram": 3.0}),
        **changes,
    )
