"""Define the JSON of `POST /predict`."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Discriminator, FailFast, Field, Tag

from app.predictions.texts.answer import TextAnswer
from app.registry.references import UNIVERSAL

MAX_STEPS = 1000
MAX_ITEMS = 1000
MAX_HISTORY = 100_000
MAX_TEXT_CHARACTERS = 100_000
# Alternatives of all steps together; 1,000 steps of a large vocabulary would be gigabytes.
MAX_ALTERNATIVES = 100_000
DEFAULT_TOP_K = 5
MAX_CONTINUATIONS = 8
MAX_STOP_CHARACTERS = 100

Number = Annotated[float, Field(allow_inf_nan=False)]
Numbers = Annotated[list[Number], Field(min_length=1, max_length=MAX_HISTORY)]
Reference = Annotated[str, Field(max_length=220)]
SeriesName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Word = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
Words = Annotated[list[Word], Field(min_length=1, max_length=MAX_HISTORY)]


def _numbers_or_words(values: object) -> str:
    """Return which of the two a column is meant to be; so an error names what is wrong in it."""
    is_words = isinstance(values, list) and bool(values) and isinstance(values[0], str)
    return "constrained-words" if is_words else "constrained-numbers"


Column = Annotated[
    Annotated[Numbers, Tag("constrained-numbers")] | Annotated[Words, Tag("constrained-words")],
    Discriminator(_numbers_or_words),
]
Columns = Annotated[dict[str, Column], Field(min_length=1, max_length=256)]


ANY_SERIES_EXAMPLE = {
    "history": [112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118],
    "horizon": 3,
    "levels": [80],
}
SERIES_EXAMPLE = {
    "model": "google-stock",
    "history": [778.81, 788.36, 786.08],
    "levels": [80, 95],
    "timestamps": ["2017-01-03", "2017-01-04", "2017-01-05"],
}
TEXT_EXAMPLE = {"model": "belling-the-cat", "text": "long ago , the", "steps": 1, "top_k": 5}


class PredictRequest(BaseModel):
    """A request to a model; the model's kind decides which fields belong to it.

    It is one flat model instead of a union: the kind is only known once the model's name has been
    looked up, and errors can then say what does not fit.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[
        Reference,
        Field(
            description="`name` (its champion), `name@alias` or `name@3`; left out: `universal`, "
            "which forecasts any series"
        ),
    ] = UNIVERSAL
    history: Annotated[
        Numbers | Columns | None,
        Field(
            description="series: the values so far, oldest first; with several input columns an "
            "object of equally long lists, of numbers or, for a column of words, of strings"
        ),
    ] = None
    horizon: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_STEPS,
            description="series: steps ahead; left out: as many as trained, or for `universal` as "
            "far as the frequency suggests; past the trained ones forecasts are fed back",
        ),
    ] = None
    levels: Annotated[
        list[Annotated[int, Field(ge=50, le=99)]] | None,
        Field(
            min_length=1,
            max_length=50,
            description="series: intervals that hold the value in so many % of cases; left out: "
            "none are computed",
        ),
    ] = None
    future: Annotated[
        Columns | None,
        Field(
            description="series: values of the columns known ahead, such as planned promotions, "
            "one for each step; a dataset brings its own"
        ),
    ] = None
    dataset: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
            description="series: id of a dataset whose last rows stand in for history and "
            "timestamps; `series` says which of several",
        ),
    ] = None
    series: Annotated[
        SeriesName | None,
        Field(description="series: its name, by which actuals find the prediction later"),
    ] = None
    timestamps: Annotated[
        list[Annotated[str, Field(max_length=40)]] | None,
        Field(
            min_length=1,
            max_length=MAX_HISTORY,
            description="series: when each value was, in ISO form; the answer continues them",
        ),
    ] = None
    live: Annotated[
        bool,
        Field(
            description="false: a try-out, which is logged like any other request, but counts "
            "neither as use nor among the live figures"
        ),
    ] = True
    text: Annotated[
        str | None,
        Field(min_length=1, max_length=MAX_TEXT_CHARACTERS, description="text: what comes before"),
    ] = None
    steps: Annotated[
        int | None, Field(ge=1, le=MAX_STEPS, description="text: how many tokens; 1 if left out")
    ] = None
    top_k: Annotated[
        int | None,
        Field(ge=1, description="text: how many alternatives to show; at most the vocabulary"),
    ] = None
    temperature: Annotated[
        float | None,
        Field(ge=0, le=100, allow_inf_nan=False, description="text: 0 takes the most probable"),
    ] = None
    seed: Annotated[
        int | None, Field(ge=0, lt=2**63, description="text: draws alike when given again")
    ] = None

    top_p: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            allow_inf_nan=False,
            description="text: draw from the most probable tokens that together have this much",
        ),
    ] = None
    repetition_penalty: Annotated[
        float | None,
        Field(
            ge=1,
            le=10,
            allow_inf_nan=False,
            description="text: probabilities of tokens that occurred are raised to this power "
            "before choosing",
        ),
    ] = None
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]] | None,
        Field(
            min_length=1,
            max_length=8,
            description="text: end a continuation once it contains one of these, which stays in it",
        ),
    ] = None
    n: Annotated[
        int | None,
        Field(ge=1, le=MAX_CONTINUATIONS, description="text: number of continuations; 1"),
    ] = None
    logprobs: Annotated[
        bool | None,
        Field(description="text: give natural logarithms of the probabilities, too"),
    ] = None
    echo: Annotated[
        bool | None,
        Field(description="text: give the probability of each token of the text, too"),
    ] = None
    stream: Annotated[
        bool | None,
        Field(
            description="text: answer with server-sent events, a token each as it is chosen; the "
            "last one, `answer`, is the whole answer and is sent once that is committed"
        ),
    ] = None

    def count_strings(self) -> int:
        """Return the number of strings in the request's JSON, including keys."""
        count = len(self.model_fields_set) + ("model" in self.model_fields_set)
        for value in (self.series, self.text, self.dataset):
            count += value is not None
        if self.timestamps is not None:
            count += len(self.timestamps)
        if self.future is not None:
            count += len(self.future)
        if self.stop is not None:
            count += len(self.stop)
        return count + len(self.history) if isinstance(self.history, dict) else count


SERIES_FIELDS = frozenset(
    {"history", "dataset", "future", "horizon", "levels", "series", "timestamps"}
)
TEXT_FIELDS = frozenset(
    {
        "text",
        "steps",
        "top_k",
        "temperature",
        "seed",
        "top_p",
        "repetition_penalty",
        "stop",
        "n",
        "logprobs",
        "echo",
        "stream",
    }
)


class BatchRequest(BaseModel):
    """Many requests at once."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # FailFast: the errors of all items together could take a hundred times a body's memory.
    items: Annotated[list[PredictRequest], FailFast(), Field(min_length=1, max_length=MAX_ITEMS)]


class LooseBatchRequest(BaseModel):
    """The same with unvalidated items, so that an invalid one fails alone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    items: Annotated[list[Any], Field(min_length=1, max_length=MAX_ITEMS)]


class Interval(BaseModel):
    """The range that will contain the value with a probability of `level` percent."""

    level: int
    low: float
    high: float


class SeriesStep(BaseModel):
    """The forecast of one step."""

    step: int
    value: float
    timestamp: str | None = Field(description="in the form of the history's; null without them")
    intervals: list[Interval] | None = Field(
        description="of the `levels` asked for, narrowest first; null without `levels`, past the "
        "trained horizon (except for `universal`), and where the version has none"
    )


class SeriesAnswer(BaseModel):
    """The answer of a series model."""

    id: UUID
    model: str
    version: int
    kind: Literal["series"]
    predictions: list[SeriesStep]
    skill: float | None = Field(
        description="1 - RMSE / RMSE of the baseline over so many steps, as measured for this "
        "version; null where it was not measured, as past the trained horizon"
    )
    baseline: str = Field(description="the simple forecast that `skill` is measured against")
    warnings: list[str] = Field(description="what weakens this answer")


class BatchAnswer(BaseModel):
    """Answers in the order of the items; an item that failed is `{"error": problem}`."""

    items: list[SeriesAnswer | TextAnswer | dict[str, Any]]
