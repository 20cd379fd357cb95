"""Recipes: everything that decides a training run, and the presets they start from.

The api validates with this module and the trainer obeys it; neither pulls in the other.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.errors import FieldError, Unprocessable

Kind = Literal["series", "text"]
Cell = Literal["lstm", "gru", "rnn"]
# Those that ONNX Runtime's recurrent operators have too (Activation of the candidate and output).
Activation = Literal["tanh", "sigmoid", "relu"]
# Simple forecasts that are affine in the window, which a network's output can be added to.
AnchorName = Literal["persistence", "season", "season-change", "autoregression"]
Units = Annotated[int, Field(ge=1, le=1024)]


class Recipe(BaseModel):
    """What series and text recipes share."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    preset: Annotated[str, Field(description="the preset this recipe started from")]
    cell: Annotated[Cell, Field(description="the recurrent cell of every layer")]
    layers: Annotated[
        tuple[Units, ...],
        Field(min_length=1, max_length=4, strict=False, description="units of each layer"),
    ]
    activation: Annotated[
        Activation, Field(description="squashing of candidate and output; the gates are sigmoid")
    ]
    optimizer: Annotated[
        Literal["adam", "rmsprop", "sgd"], Field(description="how weights follow the gradient")
    ]
    learning_rate: Annotated[
        float, Field(gt=0, le=10, allow_inf_nan=False, description="how far one step goes")
    ]
    batch_size: Annotated[
        int, Field(ge=1, le=4096, description="examples that share one step of the optimizer")
    ]
    epochs: Annotated[
        int, Field(ge=1, le=100_000, description="passes over the training rows, at most")
    ]
    early_stopping: Annotated[
        int | None,
        Field(
            ge=1, description="epochs without a better validation loss before stopping; null: no"
        ),
    ]
    clip_norm: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False, description="gradient norm limit; null: no")
    ]
    validation_fraction: Annotated[
        float, Field(ge=0, le=0.5, description="last part of the training rows, for early stopping")
    ]
    test_fraction: Annotated[
        float, Field(ge=0, le=0.9, description="last part of the rows, judged on once")
    ]
    refit: Annotated[bool, Field(description="fit again on all rows after judging")]
    seed: Annotated[
        int,
        Field(
            ge=0,
            lt=2**31,
            description="of first weights and order; the same on one machine: the same network",
        ),
    ]


class SeriesRecipe(Recipe):
    """How a network for a series is trained."""

    kind: Literal["series"] = "series"
    window: Annotated[
        int | None,
        Field(
            ge=1,
            le=2000,
            description="past steps seen; null: 60, fewer where the typical series is short, "
            "more for a long season",
        ),
    ]
    horizon: Annotated[int, Field(ge=1, le=1000, description="steps ahead, given at once")]
    features: Annotated[
        tuple[str, ...] | None,
        Field(strict=False, min_length=1, max_length=256, description="inputs; null: the target"),
    ]
    scaling: Annotated[
        Literal["minmax", "standard", "window"],
        Field(description="minmax, standard: measured on training rows; window: on each window"),
    ]
    anchor: Annotated[
        AnchorName | Literal["none", "auto"],
        Field(
            description="the simple forecast that the network's output is added to. persistence: "
            "the last value; season: the value one season before; season-change: the last value "
            "and the change of one season before; autoregression: a linear function of the window; "
            "auto: that of them which was best on validation data, persistence if none was by more "
            "than noise"
        ),
    ]
    loss: Annotated[
        Literal["mse", "mae", "huber"],
        Field(description="mse: squared errors, led by the large ones; mae: absolute; huber: both"),
    ]


class TextRecipe(Recipe):
    """How a network for a text is trained."""

    kind: Literal["text"] = "text"
    tokenizer: Annotated[
        Literal["word", "char"],
        Field(description="word: lower-case words, and each sign by itself; char: characters"),
    ]
    reading: Annotated[
        Literal["window", "stream"],
        Field(description="window: only the last tokens, from zero state; stream: carried state"),
    ]
    window: Annotated[
        int | None, Field(ge=1, le=2000, description="tokens seen; only with reading window")
    ]
    truncate: Annotated[
        int | None,
        Field(ge=1, le=2000, description="steps of backpropagation; only with reading stream"),
    ]
    embedding: Annotated[
        Literal["one-hot"] | Annotated[int, Field(ge=1, le=1024)],
        Field(description="one-hot, or the size of a trained embedding"),
    ]
    min_count: Annotated[
        int, Field(ge=1, description="rarer words are folded into the unknown symbol")
    ]
    unknown: Annotated[
        Literal["error", "warn"],
        Field(description="an unknown token in a request: a 422, or a warning"),
    ]
    loss: Annotated[
        Literal["cross-entropy"], Field(description="surprise at the next token; the only one")
    ] = "cross-entropy"


AnyRecipe = Annotated[SeriesRecipe | TextRecipe, Field(discriminator="kind")]
RECIPE: TypeAdapter[SeriesRecipe | TextRecipe] = TypeAdapter(AnyRecipe)


class Preset(BaseModel):
    """A recipe with a name and a reason."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    summary: str
    recipe: AnyRecipe


PRESETS: tuple[Preset, ...] = (
    Preset(
        name="chapter",
        kind="series",
        summary=(
            "The chapter's stock model: one past price in, LSTM(4) with sigmoid, min-max scaling. "
            "Here to be compared with; expect it to do worse than repeating the last value."
        ),
        recipe=SeriesRecipe(
            preset="chapter",
            cell="lstm",
            layers=(4,),
            activation="sigmoid",
            window=1,
            horizon=1,
            features=None,
            scaling="minmax",
            anchor="none",
            loss="mse",
            optimizer="adam",
            learning_rate=0.001,
            batch_size=32,
            epochs=200,
            early_stopping=None,
            clip_norm=None,
            validation_fraction=0.0,
            test_fraction=0.2,
            refit=True,
            seed=0,
        ),
    ),
    Preset(
        name="default",
        kind="series",
        summary=(
            "What we would stake money on: starts as the simple forecast that validation data "
            "choose (last value, last season, its change, linear autoregression), scaled per "
            "window, and leaves it only where validation data say so."
        ),
        recipe=SeriesRecipe(
            preset="default",
            cell="lstm",
            layers=(32,),
            activation="tanh",
            window=None,
            horizon=1,
            features=None,
            scaling="window",
            anchor="auto",
            loss="huber",
            optimizer="adam",
            learning_rate=0.001,
            batch_size=32,
            epochs=60,
            early_stopping=10,
            clip_norm=1.0,
            validation_fraction=0.15,
            test_fraction=0.2,
            refit=True,
            seed=0,
        ),
    ),
    Preset(
        name="chapter",
        kind="text",
        summary=(
            "The chapter's fable model: three words in, the next one out, one symbol per input "
            "unit. Strict: a word it was not trained on is an error."
        ),
        recipe=TextRecipe(
            preset="chapter",
            cell="lstm",
            layers=(128,),
            activation="tanh",
            tokenizer="word",
            reading="window",
            window=3,
            truncate=None,
            embedding="one-hot",
            min_count=1,
            unknown="error",
            optimizer="adam",
            learning_rate=0.01,
            batch_size=32,
            epochs=100,
            early_stopping=None,
            clip_norm=None,
            validation_fraction=0.0,
            test_fraction=0.0,
            refit=False,
            seed=0,
        ),
    ),
    Preset(
        name="default",
        kind="text",
        summary=(
            "Reads a text as a stream with carried state, so that each further token costs one "
            "step; stops when a held-out part says so. Unknown words are a warning."
        ),
        recipe=TextRecipe(
            preset="default",
            cell="lstm",
            layers=(128,),
            activation="tanh",
            tokenizer="word",
            reading="stream",
            window=None,
            truncate=32,
            embedding=64,
            min_count=2,
            unknown="warn",
            optimizer="adam",
            learning_rate=0.003,
            batch_size=16,
            epochs=60,
            early_stopping=5,
            clip_norm=1.0,
            validation_fraction=0.1,
            test_fraction=0.2,
            refit=True,
            seed=0,
        ),
    ),
)


def presets(kind: Kind) -> dict[str, SeriesRecipe | TextRecipe]:
    """The presets of a kind by name."""
    return {preset.name: preset.recipe for preset in PRESETS if preset.kind == kind}


def resolve_recipe(
    kind: Kind,
    overrides: Mapping[str, Any] | None,
    *,
    champion: SeriesRecipe | TextRecipe | None = None,
) -> SeriesRecipe | TextRecipe:
    """A complete recipe from what the caller gave.

    Args:
        kind: what the dataset is.
        overrides: a preset's name under `preset` and the fields that differ from it. Without
            `preset` they change the champion's recipe, or `default` for a new model.
        champion: the recipe of the model's champion, if it has one.

    Raises:
        Unprocessable: an unknown preset or field, a value out of bounds, fields that do not go
            together; each place is named as `recipe.FIELD`.
    """
    given = dict(overrides or {})
    known = presets(kind)
    if "preset" in given or champion is None or champion.kind != kind:
        name = given.get("preset", "default")
        if not isinstance(name, str) or name not in known:
            raise Unprocessable.at(
                "recipe.preset", f"{name!r} is no preset for {kind}; there are {', '.join(known)}"
            )
        base = known[name]
    else:
        base = champion
    try:
        recipe = RECIPE.validate_python({**base.model_dump(), **given, "kind": kind})
    except ValidationError as error:
        places = tuple(_place(entry["loc"], entry["msg"]) for entry in error.errors())
        detail = "; ".join(f"{place.field}: {place.message}" for place in places)
        raise Unprocessable(detail, errors=places) from error
    _check_together(recipe)
    return recipe


def _place(location: tuple[int | str, ...], message: str) -> FieldError:
    path = [str(part) for part in location if part not in {"series", "text"}]
    return FieldError(field=".".join(["recipe", *path]), message=message)


def _check_together(recipe: SeriesRecipe | TextRecipe) -> None:
    if recipe.early_stopping is not None and recipe.validation_fraction == 0:
        raise Unprocessable.at(
            "recipe.early_stopping",
            "needs data to watch: set validation_fraction above 0, or early_stopping to null",
        )
    if isinstance(recipe, SeriesRecipe):
        if recipe.scaling == "window" and recipe.window == 1:
            raise Unprocessable.at(
                "recipe.window",
                "scaling window measures each window: one value has no spread, give 2 or more",
            )
        return
    if recipe.reading == "window" and recipe.window is None:
        raise Unprocessable.at("recipe.window", "reading window needs the number of tokens it sees")
    if recipe.reading == "stream" and recipe.truncate is None:
        raise Unprocessable.at(
            "recipe.truncate", "reading stream needs the steps of backpropagation, 32 for instance"
        )
    if recipe.unknown == "error" and recipe.min_count > 1:
        raise Unprocessable.at(
            "recipe.min_count", "above 1 folds rare words into an unknown symbol: set unknown: warn"
        )
