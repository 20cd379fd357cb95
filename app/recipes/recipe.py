"""Recipes: everything that decides a training run.

The api validates with this module and the trainer obeys it; neither pulls in the other.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

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
    horizon: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="steps ahead, given at once; null: by the frequency of the rows (24 hours, "
            "14 days, 5 business days, 8 weeks, 12 months, 4 quarters), 1 without times",
        ),
    ]
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

    @property
    def steps_ahead(self) -> int:
        """Return the horizon of a recipe that is settled for its data.

        Raises:
            ValueError: it is still open.
        """
        if self.horizon is None:
            raise ValueError("the horizon of the recipe is not settled yet")
        return self.horizon


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
