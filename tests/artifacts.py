"""Build tiny versions in the artifact format, whose forecasts are known without running them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.artifact.files import (
    FORECAST,
    HISTORY,
    LENGTHS,
    MANIFEST,
    MODEL,
    PROBABILITIES,
    SCORECARD,
    TOKENS,
    WEIGHTS,
)
from app.artifact.manifest import Feature, Manifest, SeriesInput, State, TextInput
from app.artifact.scorecard import (
    Errors,
    Scorecard,
    Scores,
    SeriesScore,
    StepScores,
    TextScore,
)
from app.artifact.series_records import SeriesIntervals
from app.forecasting.intervals import LEVELS, Intervals, Volatility
from app.language.mixture import NGRAM_PROBABILITIES
from app.recipes.presets import presets
from app.training.export.interval_graph import with_intervals  # noqa: TID251 - no TensorFlow

TRAINED_AT = datetime(2026, 11, 1, tzinfo=UTC)
FABLE = ("the", ",", "mice", "long", "ago", "cat", "bell", ".")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """The files of a version."""

    manifest: Manifest
    scorecard: Scorecard
    graph: bytes

    def files(self) -> dict[str, bytes]:
        return {
            MANIFEST: self.manifest.model_dump_json().encode(),
            SCORECARD: self.scorecard.model_dump_json().encode(),
            MODEL: self.graph,
            WEIGHTS: b"\x02\x00\x00\x00\x00\x00\x00\x00{}",  # an empty safetensors file
        }


def _scores(rmse: float) -> dict[str, Any]:
    one = Errors(rmse=1.0, mae=1.0)
    own = Errors(rmse=rmse, mae=rmse)
    return {"rows": 10, "model": own, "baselines": {"persistence": one}, "against": {}}


def persistence_artifact(
    *,
    window: int = 3,
    horizon: int = 1,
    features: Sequence[str] = ("Open",),
    frequency: str | None = "B",
    min_history: int | None = None,
    step: float = 0.0,
    skill: float | None = -0.79,
    intervals: Intervals | None = None,
    rmse_by_step: Sequence[float] = (),
    longest_hole: int = 0,
    season: int | None = None,
    calendar: str | None = None,
    closed_on_grid: bool = False,
) -> Artifact:
    """Return a series version that repeats the first feature's last value, plus `step` per step.

    With `rmse_by_step` its scorecard has these errors, and that of persistence is 1 at each step.
    """
    graph = _persistence_graph(window, horizon, len(features), step)
    series = SeriesInput(
        features=tuple(Feature(name=name, low=0.0, high=1000.0) for name in features),
        target=features[0],
        frequency=frequency,
        calendar=calendar,
        closed_on_grid=closed_on_grid,
        time_form="date" if frequency else None,
        never_negative=False,
        longest_hole=longest_hole,
        season=season,
        intervals=None if intervals is None else _described(intervals),
    )
    manifest = Manifest(
        kind="series",
        recipe=presets("series")["default"].model_copy(update={"horizon": horizon}),
        window=window,
        min_history=window if min_history is None else min_history,
        horizon=horizon,
        series=series,
        **COMMON,
    )
    errors = Errors(rmse=1.0, mae=1.0)
    scorecard = Scorecard(
        judged_on="held-out",
        network="served",
        verdict="repeats the last value",
        skill=skill,
        final_loss=0.0,
        best_epoch=0,
        series=SeriesScore(
            rows=10,
            start=None,
            end=None,
            model=errors,
            baselines={"persistence": errors},
            steps=tuple(
                StepScores(step=step, **_scores(error))
                for step, error in enumerate(rmse_by_step, start=1)
            ),
            all_steps=Scores(**_scores(float(np.sqrt(np.mean(np.square(rmse_by_step))))))
            if rmse_by_step
            else None,
        ),
    )
    return Artifact(
        manifest=manifest,
        scorecard=scorecard,
        graph=graph if intervals is None else with_intervals(graph, intervals, target=0),
    )


def tenths_of_level(*, steps: int = 1, at_least: float | None = None) -> Intervals:
    """Return intervals that extend a tenth of their level to either side: 8 for 80 %."""
    half = np.tile(np.array(LEVELS) / 10, (steps, 1))
    return Intervals(
        volatility=Volatility(changes=0, usual=1.0, share=0.0),
        low=-half,
        high=half,
        scores=100,
        at_least=at_least,
    )


def _described(intervals: Intervals) -> SeriesIntervals:
    return SeriesIntervals(
        calibrated_on="validation",
        forecasts_of="this network",
        forecasts=intervals.scores,
        steps=intervals.steps,
        usual_change=intervals.volatility.usual,
        recent_changes=intervals.volatility.changes,
        share=intervals.volatility.share,
        volatility="made up",
        signed_to=intervals.signed_to,
        conformal_to=intervals.conformal_to,
    )


def window_text_artifact(
    *, window: int = 3, vocabulary: Sequence[str] = FABLE, follows: Sequence[int] | None = None
) -> Artifact:
    """Return a strict word version that predicts `follows[i]` after token i, by default i + 1."""
    return _text_artifact(
        TextInput(tokenizer="word", vocabulary=tuple(vocabulary), unknown=None, reading="window"),
        recipe="chapter",
        window=window,
        graph=_window_graph(window, _table(len(vocabulary), follows)),
    )


def stream_text_artifact(
    *,
    vocabulary: Sequence[str] = ("a", "b", "c", "<unk>"),
    spells: bool = False,
    with_ngram: bool = False,
) -> Artifact:
    """Return a char version whose state counts tokens; it predicts the token with that number.

    Its n-gram finds all tokens equally probable.
    """
    return _text_artifact(
        TextInput(
            tokenizer="char",
            vocabulary=tuple(vocabulary),
            unknown=None if spells else "<unk>",
            spells=spells,
            reading="stream",
            states=(State(name="seen", units=1),),
        ),
        recipe="default",
        window=None,
        graph=_counting_graph(len(vocabulary), with_ngram=with_ngram),
    )


COMMON: dict[str, Any] = {
    "refitted": False,
    "parity": 0.0,
    "seed": 0,
    "trained_at": TRAINED_AT,
    "training_seconds": 0.1,
}


def _text_artifact(
    described: TextInput, *, recipe: str, window: int | None, graph: bytes
) -> Artifact:
    return Artifact(
        manifest=Manifest(
            kind="text",
            recipe=presets("text")[recipe],
            window=window,
            min_history=window or 1,
            horizon=1,
            text=described,
            **COMMON,
        ),
        scorecard=Scorecard(
            judged_on="training",
            network="served",
            verdict="made up",
            skill=None,
            skill_missing="made up",
            final_loss=0.0,
            best_epoch=0,
            text=TextScore(tokens=1, correct=1, bits_per_token=1.0, baselines={}),
        ),
        graph=graph,
    )


def _persistence_graph(window: int, horizon: int, features: int, step: float) -> bytes:
    drift = (np.arange(1, horizon + 1) * step)[np.newaxis]  # (1, horizon)
    nodes = [
        helper.make_node("Slice", [HISTORY, "last", "end", "time_axis"], ["newest"]),
        helper.make_node("Slice", ["newest", "zero", "one", "feature_axis"], ["target"]),
        helper.make_node("Squeeze", ["target", "time_axis"], ["flat"]),
        helper.make_node("Add", ["flat", "drift"], [FORECAST]),
    ]
    constants = {
        "last": np.array([-1]),
        "end": np.array([2**31 - 1]),
        "zero": np.array([0]),
        "one": np.array([1]),
        "time_axis": np.array([1]),
        "feature_axis": np.array([2]),
        "drift": drift,
    }
    return _model(
        nodes,
        constants,
        [helper.make_tensor_value_info(HISTORY, TensorProto.DOUBLE, ["batch", window, features])],
        [helper.make_tensor_value_info(FORECAST, TensorProto.DOUBLE, ["batch", horizon])],
    )


def _table(size: int, follows: Sequence[int] | None) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return probabilities, (vocabulary, vocabulary): 0.9 for the follower, the rest is even."""
    table = np.full((size, size), 0.1 / (size - 1), dtype=np.float32)
    for row in range(size):
        table[row, (row + 1) % size if follows is None else follows[row]] = 0.9
    return table


def _window_graph(window: int, table: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    nodes = [
        helper.make_node("Slice", [TOKENS, "last", "end", "axis"], ["newest"]),
        helper.make_node("Squeeze", ["newest", "axis"], ["id"]),
        helper.make_node("Gather", ["table", "id"], [PROBABILITIES]),
    ]
    constants = {
        "last": np.array([-1]),
        "end": np.array([2**31 - 1]),
        "axis": np.array([1]),
        "table": table,
    }
    return _model(
        nodes,
        constants,
        [helper.make_tensor_value_info(TOKENS, TensorProto.INT64, ["batch", window])],
        [helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["batch", len(table)])],
    )


def _counting_graph(size: int, *, with_ngram: bool) -> bytes:
    table = _table(size, list(range(size)))  # row i predicts token i
    nodes = [
        # The tokens are not used, but the graph must have them as an input.
        helper.make_node("Cast", [TOKENS], ["tokens_float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["tokens_float", "axis_one"], ["total"], keepdims=1),
        helper.make_node("Mul", ["total", "nothing"], ["no_total"]),
        helper.make_node("Cast", [LENGTHS], ["lengths_float"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["lengths_float", "axis_one"], ["lengths_column"]),
        helper.make_node("Squeeze", ["seen", "axis_zero"], ["seen_column"]),
        helper.make_node("Add", ["seen_column", "lengths_column"], ["now"]),
        helper.make_node("Add", ["now", "no_total"], ["now_seen"]),
        helper.make_node("Unsqueeze", ["now_seen", "axis_zero"], ["seen_out"]),
        helper.make_node("Squeeze", ["now_seen", "axis_one"], ["count"]),
        helper.make_node("Cast", ["count"], ["count_int"], to=TensorProto.INT64),
        helper.make_node("Mod", ["count_int", "size"], ["id"]),
        helper.make_node("Gather", ["table", "id"], [PROBABILITIES]),
    ]
    if with_ngram:
        nodes.append(helper.make_node("Gather", ["even", "id"], [NGRAM_PROBABILITIES]))
    constants = {
        "even": np.full((size, size), 1 / size, dtype=np.float32),
        "axis_zero": np.array([0]),
        "axis_one": np.array([1]),
        "nothing": np.array(0, dtype=np.float32),
        "size": np.array(size),
        "table": table,
    }
    return _model(
        nodes,
        constants,
        [
            helper.make_tensor_value_info(TOKENS, TensorProto.INT64, ["batch", "steps"]),
            helper.make_tensor_value_info(LENGTHS, TensorProto.INT32, ["batch"]),
            helper.make_tensor_value_info("seen", TensorProto.FLOAT, [1, "batch", 1]),
        ],
        [
            helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["batch", size]),
            helper.make_tensor_value_info("seen_out", TensorProto.FLOAT, [1, "batch", 1]),
        ],
    )


def _model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray[Any, Any]],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "made up",
        inputs,
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised
