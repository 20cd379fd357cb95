"""Requests and answers of OpenAI's completions."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.predictions.schemas import (
    MAX_CONTINUATIONS,
    MAX_ITEMS,
    MAX_STEPS,
    MAX_STOP_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    Reference,
)

DEFAULT_TOKENS = 16
DEFAULT_TEMPERATURE = 1.0
MAX_STOPS = 8
MAX_LOGPROBS = 20

TokenIds = Annotated[
    list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)
]
Stop = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]
NOT_HERE = "has no effect here, so only the value without an effect is accepted"


class StreamOptions(BaseModel):
    """What a stream sends besides the text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: Annotated[
        bool, Field(description="end with a chunk that has no choices but the usage")
    ] = False


class CompletionRequest(BaseModel):
    """A request to continue texts; unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "example": {
                "model": "belling-the-cat",
                "prompt": "long ago , the",
                "max_tokens": 5,
                "temperature": 0,
            }
        },
    )

    model: Annotated[Reference, Field(description="`name`, `name@alias` or `name@3`")]
    prompt: Annotated[
        str
        | TokenIds
        | Annotated[list[str], Field(min_length=1, max_length=MAX_ITEMS)]
        | Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_ITEMS)],
        Field(description="a text or several, as strings or as ids of the model's tokens"),
    ]
    max_tokens: Annotated[
        int | None,
        Field(ge=0, le=MAX_STEPS, description="left out: 16; 0 with `echo` gives the prompt alone"),
    ] = None
    temperature: Annotated[
        float | None, Field(ge=0, le=100, allow_inf_nan=False, description="left out: 1")
    ] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, allow_inf_nan=False)] = None
    n: Annotated[
        int | None, Field(ge=1, le=MAX_CONTINUATIONS, description="continuations of each prompt")
    ] = None
    logprobs: Annotated[
        int | None,
        Field(ge=0, le=MAX_LOGPROBS, description="alternatives to show beside the chosen token"),
    ] = None
    echo: Annotated[bool | None, Field(description="repeat the prompt before its continuation")] = (
        None
    )
    stop: Annotated[
        Stop | Annotated[list[Stop], Field(max_length=MAX_STOPS)] | None,
        Field(description="strings that end a continuation, without being part of it"),
    ] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**63)] = None
    stream: Annotated[bool | None, Field(description="answer with server-sent events")] = None
    stream_options: StreamOptions | None = None
    repetition_penalty: Annotated[
        float | None, Field(ge=1, le=10, allow_inf_nan=False, description="as in `POST /predict`")
    ] = None
    user: Annotated[str | None, Field(description="accepted and ignored")] = None
    best_of: Annotated[int | None, Field(ge=1, description=f"other than `n`, {NOT_HERE}")] = None
    suffix: Annotated[Literal[""] | None, Field(description=NOT_HERE)] = None
    logit_bias: Annotated[dict[str, float] | None, Field(max_length=0, description=NOT_HERE)] = None
    frequency_penalty: Annotated[float | None, Field(ge=0, le=0, description=NOT_HERE)] = None
    presence_penalty: Annotated[float | None, Field(ge=0, le=0, description=NOT_HERE)] = None

    @property
    def stops(self) -> list[str]:
        """The strings that end a continuation."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())

    @property
    def count(self) -> int:
        """The number of continuations of each prompt."""
        return self.n or 1

    @property
    def tokens(self) -> int:
        """The most tokens in a continuation."""
        return DEFAULT_TOKENS if self.max_tokens is None else self.max_tokens


class Logprobs(BaseModel):
    """Natural logarithms of probabilities, one entry for each token."""

    tokens: list[str]
    token_logprobs: list[float | None] = Field(description="null where too little stands before it")
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int] = Field(description="where the token begins in `text`, in characters")


class Choice(BaseModel):
    """One continuation."""

    index: int = Field(description="all continuations of a prompt, then those of the next")
    text: str
    logprobs: Logprobs | None = None
    finish_reason: Literal["stop", "length"] | None = Field(
        description="null in all but the last chunk of a stream"
    )


class Usage(BaseModel):
    """Numbers of tokens; those of prompts count once, however often they are continued."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """The continuations of all prompts, or a chunk of them."""

    id: str = Field(description="`cmpl-` and the request id")
    object: Literal["text_completion"] = "text_completion"
    created: int = Field(description="Unix time in seconds")
    model: str = Field(description="as in the request")
    system_fingerprint: str | None = Field(None, description="the version that answered: NAME@N")
    choices: list[Choice]
    usage: Usage | None = None
    prediction_ids: list[str] | None = Field(None, description="of the log, one for each prompt")
    skill: float | None = Field(None, description="of the version, as in `POST /predict`")
    warnings: list[str] | None = Field(None, description="what weakens this answer")


class ModelEntry(BaseModel):
    """A model that continues texts."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Unix time in seconds")
    owned_by: Literal["stepahead"] = "stepahead"


class ModelList(BaseModel):
    """The models that continue texts."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class OpenAIErrorDetail(BaseModel):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(BaseModel):
    """An error, as OpenAI's clients read it."""

    error: OpenAIErrorDetail
