"""Build tiny versions of every form, exported as training exports them."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from app.artifact.files import WEIGHTS
from app.artifact.manifest import Feature, Manifest, SeriesInput, State, TextInput
from app.artifact.scorecard import Scorecard
from app.artifact.series_records import MeasuredScaling, SeriesAnchor, UniversalShare
from app.forecasting.anchors import Anchor, Scale, persistence
from app.forecasting.linear_maps import season_change_map, season_map
from app.forecasting.mixture import ridge_map
from app.forecasting.scaling import Affine
from app.judging.universal_baseline import shipped_universal
from app.recipes.recipe import Activation, AnchorName, Cell
from app.recipes.resolve import resolve_recipe
from app.training.architecture import Architecture, architecture_of  # noqa: TID251 - no TensorFlow
from app.training.export.anchor_graph import UniversalPart  # noqa: TID251 - no TensorFlow
from app.training.export.graph import series_graph, text_graph  # noqa: TID251 - no TensorFlow
from tests.artifacts import COMMON, Artifact
from tests.training.runs import WORDS

Floats = NDArray[np.float64]
Scaling = Literal["minmax", "standard", "window"]

ROWS = 300.0 + np.random.default_rng(5).normal(0.0, 20.0, (50, 2)).cumsum(axis=0)  # (rows, columns)
COLUMNS = ("volume", "price")
WINDOW, HORIZON, SEASON = 7, 2, 5
VOCABULARY = ("the", "mice", ",", "bell", "cat", "<unk>")


@dataclass(frozen=True, kw_only=True)
class Built(Artifact):
    """An artifact with weights that match its graph."""

    weights: dict[str, NDArray[Any]]

    def files(self) -> dict[str, bytes]:
        return {**super().files(), WEIGHTS: save(self.weights)}


def series_version(
    cell: Cell,
    scaling: Scaling,
    anchor: AnchorName | Literal["none"],
    *,
    activation: Activation = "tanh",
    says_scaling: bool = True,
    at_least: float | None = None,
    effect: float | None = None,
    universal: float = 0.0,
) -> Built:
    """Build a version with two input columns and two layers that forecasts two steps.

    With an effect, the first column is known ahead. `universal` is its share of the anchor.
    """
    recipe = resolve_recipe(
        "series",
        {
            "preset": "default",
            "cell": cell,
            "activation": activation,
            "layers": [5, 3],
            "scaling": scaling,
            "anchor": anchor,
            "window": WINDOW,
            "horizon": HORIZON,
            "features": list(COLUMNS),
        },
    )
    architecture = architecture_of(recipe, inputs=2, outputs=HORIZON, anchored=False)
    weights = random_weights(architecture)
    measure = Affine.standard if scaling == "standard" else Affine.minmax
    affine = None if scaling == "window" else measure(ROWS)
    graph = series_graph(
        architecture,
        weights,
        window=WINDOW,
        scaling=affine,
        target=1,
        target_scaling=affine.column(1) if affine else None,
        anchor=None if anchor == "none" else anchor_of(anchor, effect, universal),
        known=() if effect is None else (0,),
        at_least=at_least,
        universal=UniversalPart(graph=shipped_universal().graph, periods=(SEASON, 0)),
    )
    manifest = Manifest(
        kind="series",
        recipe=recipe,
        window=WINDOW,
        min_history=WINDOW,
        horizon=HORIZON,
        series=SeriesInput(
            features=tuple(
                Feature(name=name, low=float(column.min()), high=float(column.max()))
                for name, column in zip(COLUMNS, ROWS.T, strict=True)
            ),
            target=COLUMNS[1],
            known=() if effect is None else COLUMNS[:1],
            frequency="D",
            time_form="date",
            never_negative=False,
            at_least=at_least,
            scaling=_told(affine) if says_scaling else None,
            anchor=_record(anchor, universal),
        ),
        **COMMON,
    )
    arrays = {} if anchor == "none" else anchor_of(anchor, effect, universal).arrays()
    return Built(manifest=manifest, scorecard=SCORECARD, graph=graph, weights={**weights, **arrays})


def anchor_of(name: AnchorName, effect: float | None = None, universal: float = 0.0) -> Anchor:
    """Return the anchor for the second column of `ROWS`."""
    if name == "persistence":
        return persistence(window=WINDOW, horizon=HORIZON)
    shape = {"window": WINDOW, "horizon": HORIZON}
    if name == "season":
        return Anchor.of_maps([season_map(season=SEASON, **shape)], [Scale()], name=name)
    if name == "season-change":
        return Anchor.of_maps([season_change_map(season=SEASON, **shape)], [Scale()], name=name)
    scale = Scale(log=name == "average", floor=1.0)
    fitted = ridge_map(scale.into(ROWS[:, 1]), lags=4, level=False, **shape)
    if fitted is None:
        raise TypeError("too few rows")
    effects = None if effect is None else [np.array([effect])]
    return Anchor.of_maps([fitted], [scale], name=name, effects=effects, universal=[universal])


def text_version(
    cell: Cell,
    reading: Literal["window", "stream"],
    embedding: int | Literal["one-hot"],
    *,
    layers: tuple[int, ...] = (5, 3),
) -> Built:
    """Build a word version with an unknown symbol."""
    recipe = resolve_recipe(
        "text",
        {
            **WORDS,
            "cell": cell,
            "layers": list(layers),
            "reading": reading,
            "window": 3 if reading == "window" else None,
            "embedding": embedding,
        },
    )
    size, window = len(VOCABULARY), 3 if reading == "window" else None
    architecture = architecture_of(
        recipe,
        inputs=size,
        outputs=size,
        embedding=None if embedding == "one-hot" else embedding,
        anchored=False,
    )
    weights = random_weights(architecture)
    manifest = Manifest(
        kind="text",
        recipe=recipe,
        window=window,
        min_history=window or 1,
        horizon=1,
        text=TextInput(
            tokenizer="word",
            vocabulary=VOCABULARY,
            unknown="<unk>",
            reading=reading,
            states=()
            if window
            else tuple(State(name=name, units=units) for name, units in architecture.states()),
        ),
        **COMMON,
    )
    graph = text_graph(architecture, weights, window=window)
    return Built(manifest=manifest, scorecard=SCORECARD, graph=graph, weights=weights)


def random_weights(architecture: Architecture) -> dict[str, Any]:
    generator = np.random.default_rng(11)
    return {
        name: generator.normal(0.0, 0.6, shape).astype(np.float32)
        for name, shape in architecture.weight_shapes().items()
    }


def _record(anchor: AnchorName | Literal["none"], universal: float) -> SeriesAnchor | None:
    """Return the anchor's record; None for persistence, as in older versions."""
    if anchor in {"none", "persistence"}:
        return None
    part = UniversalShare(version=1, share=universal, series=1) if universal else None
    return SeriesAnchor(name=anchor, season=SEASON, chosen=True, universal=part)


def _told(affine: Affine | None) -> MeasuredScaling | None:
    if affine is None:
        return None
    return MeasuredScaling(
        center=tuple(affine.center.tolist()),
        scale=tuple(affine.scale.tolist()),
        target_center=float(affine.center[1]),
        target_scale=float(affine.scale[1]),
    )


SCORECARD = Scorecard(
    judged_on="held-out",
    network="served",
    verdict="made up",
    skill=None,
    skill_missing="made up",
    final_loss=0.0,
    best_epoch=0,
)
