"""Define recipes: everything that decides a training run.

The api validates recipes with this module and the trainer follows them, so it imports neither.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Kind = Literal["series", "text"]
Cell = Literal["lstm", "gru", "rnn"]
# Activations of candidate and output that ONNX Runtime's recurrent operators have, too.
Activation = Literal["tanh", "sigmoid", "relu"]
# Simple forecasts that are affine in the window or its logarithm, which a network's output can be
# added to.
AnchorName = Literal[
    "persistence",
    "season",
    "season-change",
    "season-drift",
    "theta",
    "smoothing",
    "autoregression",
    "average",
    "universal",
]
CalendarName = Literal["hour", "weekday", "month day", "time of year", "holiday", "working days"]
Units = Annotated[int, Field(ge=1, le=1024)]


class Recipe(BaseModel):
    """Fields that series and text recipes share."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    preset: Annotated[str, Field(description="the preset this recipe started from")]
    cell: Annotated[Cell, Field(description="the recurrent cell of every layer")]
    layers: Annotated[
        tuple[Units, ...],
        Field(min_length=1, max_length=4, strict=False, description="units of each layer"),
    ]
    activation: Annotated[
        Activation,
        Field(description="activation of candidate and output; gates always use the sigmoid"),
    ]
    optimizer: Annotated[
        Literal["adam", "rmsprop", "sgd"], Field(description="updates the weights")
    ]
    learning_rate: Annotated[
        float, Field(gt=0, le=10, allow_inf_nan=False, description="size of each update")
    ]
    batch_size: Annotated[
        int, Field(ge=1, le=4096, description="examples per update of the weights")
    ]
    epochs: Annotated[
        int, Field(ge=1, le=100_000, description="maximum number of passes over the training rows")
    ]
    early_stopping: Annotated[
        int | None,
        Field(
            ge=1,
            description="stop after this many epochs without a better validation loss; null: never",
        ),
    ]
    clip_norm: Annotated[
        float | None,
        Field(gt=0, allow_inf_nan=False, description="limit on the gradient norm; null: none"),
    ]
    validation_fraction: Annotated[
        float,
        Field(
            ge=0,
            le=0.5,
            description="share of the training rows, from their end, used for early stopping",
        ),
    ]
    test_fraction: Annotated[
        float,
        Field(ge=0, le=0.9, description="share of the rows, from their end, held out for judging"),
    ]
    refit: Annotated[bool, Field(description="train again on all rows after judging")]
    seed: Annotated[
        int,
        Field(
            ge=0,
            lt=2**31,
            description="decides initial weights and the order of examples; the same seed gives "
            "the same network on the same machine",
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
            description="number of past steps that the network sees; null: 60, fewer if the "
            "typical series is short, more for a long season",
        ),
    ]
    horizon: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="steps ahead, all forecast at once; null: by the frequency of the rows (24 "
            "hours, 14 days, 5 business days, 8 weeks, 12 months, 4 quarters), 1 without times",
        ),
    ]
    features: Annotated[
        tuple[str, ...] | None,
        Field(
            strict=False,
            min_length=1,
            max_length=256,
            description="input columns; null: the target and, with an anchor, every other column "
            "that reduces the error on later rows before the cut",
        ),
    ]
    known: Annotated[
        tuple[str, ...] | None,
        Field(
            strict=False,
            max_length=64,
            description="columns whose values are known ahead, such as planned promotions; each is "
            "an input, too; null: those that the file continues for a horizon past the target",
        ),
    ] = None
    calendar: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=20_000,
            description="when the series has rows, as `read.calendar` writes it: XNYS or another "
            "market, DE or another country, Mon-Fri except 2024-12-25, Mon-Fri except none; null: "
            "as the dataset's report says",
        ),
    ] = None
    calendar_inputs: Annotated[
        tuple[CalendarName, ...] | None,
        Field(
            strict=False,
            description="inputs computed from the times of the rows (hour, weekday, month day, "
            "time of year, holiday, working days); null: with an anchor, those that reduce the "
            "error on later rows before the cut; an empty list: none",
        ),
    ] = None
    holidays: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=20,
            description="market or country whose holidays may be an input: XNYS, DE, DE-BY; null: "
            "that of the calendar, or the one of 15 countries that reduces the error most",
        ),
    ] = None
    epoch_examples: Annotated[
        int | None,
        Field(
            ge=1,
            description="most examples in an epoch, drawn anew for each, so that the time does not "
            "grow with the file; null: all",
        ),
    ] = None
    scaling: Annotated[
        Literal["minmax", "standard", "window"],
        Field(
            description="minmax, standard: measured on the training rows; window: on each window"
        ),
    ]
    anchor: Annotated[
        AnchorName | Literal["none", "auto"],
        Field(
            description="the simple forecast that the network's output is added to. persistence: "
            "the last value; season: the value one season before; season-change: the last value "
            "and the change of one season before; season-drift: the last season and its drift; "
            "theta: a smoothed level and half the trend; smoothing: exponential smoothing with "
            "level, damped trend and season as they help; autoregression: a linear function of the "
            "window; average: an average of these, weighed on rows before the cut; universal: "
            "the shipped model for any series; auto: the average, mixed with universal where it "
            "helps"
        ),
    ]
    tune_epochs: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="most epochs in which the weights of universal go on being trained on the "
            "dataset, before the network; for the anchor universal only; null: none",
        ),
    ] = None
    loss: Annotated[
        Literal["mse", "mae", "huber"],
        Field(
            description="mse: squared errors, dominated by large ones; mae: absolute errors; "
            "huber: squared if small, absolute if large"
        ),
    ]

    @property
    def steps_ahead(self) -> int:
        """Return the horizon of a recipe that was completed for its data.

        Raises:
            ValueError: the horizon has not been decided yet.
        """
        if self.horizon is None:
            raise ValueError("the horizon of the recipe has not been decided yet")
        return self.horizon


class TextRecipe(Recipe):
    """How a network for a text is trained."""

    kind: Literal["text"] = "text"
    tokenizer: Annotated[
        Literal["word", "char"],
        Field(description="word: words in lower case, and each punctuation mark; char: characters"),
    ]
    reading: Annotated[
        Literal["window", "stream"],
        Field(
            description="window: only the last tokens, from a zero state; stream: the whole text, "
            "with a state that is carried on"
        ),
    ]
    window: Annotated[
        int | None,
        Field(ge=1, le=2000, description="number of tokens that are read; for `window` only"),
    ]
    truncate: Annotated[
        int | None,
        Field(
            ge=1,
            le=2000,
            description="steps after which backpropagation is truncated; for `stream` only",
        ),
    ]
    embedding: Annotated[
        Literal["one-hot"] | Annotated[int, Field(ge=1, le=1024)],
        Field(description="one-hot, or the size of a trained embedding"),
    ]
    min_count: Annotated[
        int,
        Field(ge=1, description="rarer tokens are replaced by the unknown symbol, or spelled"),
    ]
    unknown: Annotated[
        Literal["error", "warn", "bytes"],
        Field(
            description="what an unknown token in a request leads to: error: 422; warn: a warning; "
            "bytes: nothing is unknown, because characters without a token are spelled in bytes"
        ),
    ]
    anchor: Annotated[
        Literal["none", "ngram"],
        Field(
            description="ngram: the network is mixed with the best n-gram model, in shares chosen "
            "on validation data; for `stream` only"
        ),
    ] = "none"
    dropout: Annotated[
        float,
        Field(ge=0, lt=1, description="share of each layer's outputs that an update leaves out"),
    ] = 0.0
    token_budget: Annotated[
        int | None,
        Field(
            ge=1,
            description="tokens to train on in all epochs together, of which a long text gets "
            "fewer; null: no limit",
        ),
    ] = None
    schedule: Annotated[
        Literal["constant", "cosine"],
        Field(description="of the learning rate; cosine: down to zero in the last epoch"),
    ] = "constant"
    loss: Annotated[
        Literal["cross-entropy"],
        Field(description="negative log-probability of the next token; the only loss for texts"),
    ] = "cross-entropy"


AnyRecipe = Annotated[SeriesRecipe | TextRecipe, Field(discriminator="kind")]
RECIPE: TypeAdapter[SeriesRecipe | TextRecipe] = TypeAdapter(AnyRecipe)
